package main

import (
	"context"
	"encoding/json"
	"os"
	"path"
	"sync/atomic"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// calls notes what is asked of the driver and when, for tests to compare with what they saw.
type calls struct {
	file *os.File
	next atomic.Int64
}

// event is one line of the file.
type event struct {
	Time time.Time `json:"time"`
	// Call is the call's number, the same for its begin and its end.
	Call      int64  `json:"call"`
	Operation string `json:"operation"`
	// Subject is the name or handle that the request is about.
	Subject string `json:"subject"`
	// Volumes are the handles of those that it makes a cut of.
	Volumes []string `json:"volumes,omitempty"`
	// Code is how it ended; empty where it begins.
	Code string `json:"code,omitempty"`
}

func openCalls(file string) (*calls, error) {
	opened, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	calls := &calls{file: opened}
	// Numbers of an earlier run of the driver are not given again.
	calls.next.Store(time.Now().UnixNano())
	return calls, nil
}

// intercept notes a call around whatever handles it.
func (c *calls) intercept(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
) (any, error) {
	noted := event{
		Call: c.next.Add(1), Operation: path.Base(info.FullMethod), Subject: subject(request), Volumes: sources(request),
	}
	if noted.Subject == "" {
		return handle(ctx, request)
	}
	c.note(noted)
	response, err := handle(ctx, request)
	noted.Code = status.Code(err).String()
	c.note(noted)
	return response, err
}

func (c *calls) note(noted event) {
	noted.Time = time.Now()
	line, err := json.Marshal(noted)
	if err != nil {
		panic(err)
	}
	// One write is one line, however many calls are under way.
	if _, err := c.file.Write(append(line, '\n')); err != nil {
		panic(err)
	}
}

// subject is empty for what concerns the driver as a whole.
func subject(request any) string {
	switch request := request.(type) {
	case interface{ GetName() string }:
		return request.GetName()
	case interface{ GetGroupSnapshotId() string }:
		return request.GetGroupSnapshotId()
	case interface{ GetSnapshotId() string }:
		return request.GetSnapshotId()
	case interface{ GetVolumeId() string }:
		return request.GetVolumeId()
	}
	return ""
}

func sources(request any) []string {
	switch request := request.(type) {
	case *csi.CreateSnapshotRequest:
		return []string{request.GetSourceVolumeId()}
	case *csi.CreateVolumeGroupSnapshotRequest:
		return request.GetSourceVolumeIds()
	}
	return nil
}
