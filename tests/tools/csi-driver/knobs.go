package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// knobs are files by which a test says how operations should behave, while the driver runs. What is in the folder
// of a volume holds for that volume, before what is said of all:
//
//	<operation>.time    milliseconds that it takes
//	<operation>.ready   milliseconds after the cut until a snapshot is ready
//	<operation>.fail    how many of the next calls fail
//	<operation>.hang    is there as long as it should not go on
type knobs struct {
	folder string
	// counting keeps two calls from counting as one.
	counting sync.Mutex
}

const poll = 10 * time.Millisecond

// act takes the time that the operation should take, and is the error that it should end with. The caller being gone
// changes nothing: a real driver's work goes on as well.
func (k *knobs) act(operation string, volumes ...string) error {
	for k.find(operation+".hang", volumes) != "" {
		time.Sleep(poll)
	}
	time.Sleep(k.duration(operation+".time", volumes))
	k.counting.Lock()
	defer k.counting.Unlock()
	file := k.find(operation+".fail", volumes)
	left := number(file)
	if left == 0 {
		return nil
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(left-1)), 0o644); err != nil {
		return internal(err)
	}
	return status.Errorf(codes.Internal, "%s fails, as the test wants it", operation)
}

// duration is how long something takes.
func (k *knobs) duration(knob string, volumes []string) time.Duration {
	return time.Duration(number(k.find(knob, volumes))) * time.Millisecond
}

// find is the file that a knob is set by, if it is.
func (k *knobs) find(knob string, volumes []string) string {
	for _, scope := range append(volumes, "") {
		file := filepath.Join(k.folder, scope, knob)
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

// number is what stands in a file; 0 without one.
func number(file string) int {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	number, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		panic(file + " is not a number")
	}
	return number
}
