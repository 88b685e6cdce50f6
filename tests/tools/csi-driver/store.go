package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// records are the things of one kind that exist, each a JSON file called by its id.
type records[T any] struct {
	folder string
	kind   string
}

func (r records[T]) file(id string) string {
	return filepath.Join(r.folder, id+".json")
}

// get is nil if there is none. An id that this driver can't have given is one of those.
func (r records[T]) get(id string) (*T, error) {
	if !strings.HasPrefix(id, r.kind+"-") || strings.ContainsRune(id, filepath.Separator) || len(id) > 64 {
		return nil, nil
	}
	text, err := os.ReadFile(r.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, internal(err)
	}
	var found T
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, internal(err)
	}
	return &found, nil
}

// put is done in one step, so that a record is never half there.
func (r records[T]) put(id string, record *T) error {
	text, err := json.Marshal(record)
	if err != nil {
		return internal(err)
	}
	unfinished := r.file(id) + ".new"
	if err := os.WriteFile(unfinished, text, 0o644); err != nil {
		return internal(err)
	}
	if err := os.Rename(unfinished, r.file(id)); err != nil {
		return internal(err)
	}
	return nil
}

func (r records[T]) remove(id string) error {
	if err := os.Remove(r.file(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return internal(err)
	}
	return nil
}

// all are in the order of their ids.
func (r records[T]) all() ([]*T, error) {
	files, err := filepath.Glob(r.file(r.kind + "-*"))
	if err != nil {
		return nil, internal(err)
	}
	slices.Sort(files)
	var all []*T
	for _, file := range files {
		found, err := r.get(strings.TrimSuffix(filepath.Base(file), ".json"))
		if err != nil {
			return nil, err
		}
		if found != nil {
			all = append(all, found)
		}
	}
	return all, nil
}

// busy are the ids that are being made or removed.
type busy struct{ ids sync.Map }

// take refuses a second call on an id. The caller gives it back by what is returned.
func (b *busy) take(id string) (func(), error) {
	if _, taken := b.ids.LoadOrStore(id, true); taken {
		return nil, status.Errorf(codes.Aborted, "%s is in progress", id)
	}
	return func() { b.ids.Delete(id) }, nil
}
