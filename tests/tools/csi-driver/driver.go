package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// driver is everything but the nodes: the services of identity, controller and group controller.
type driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedControllerServer
	csi.UnimplementedGroupControllerServer

	name      string
	volumes   records[volume]
	snapshots records[snapshot]
	groups    records[group]
	data      data
	knobs     *knobs
	calls     *calls
	busy      busy
}

func newDriver(config config) (*driver, error) {
	calls, err := openCalls(config.Calls)
	if err != nil {
		return nil, err
	}
	data, err := openData(config.Data, config.PointInTime)
	if err != nil {
		return nil, err
	}
	driver := &driver{
		name:      config.Name,
		volumes:   records[volume]{config.Records, "volume"},
		snapshots: records[snapshot]{config.Records, "snapshot"},
		groups:    records[group]{config.Records, "group"},
		data:      data,
		knobs:     &knobs{folder: config.Knobs},
		calls:     calls,
	}
	return driver, os.MkdirAll(config.Records, 0o755)
}

// id is the handle of what is called name: the same whenever somebody asks for it again.
func id(kind, name string) string {
	hash := sha256.Sum256([]byte(name))
	return kind + "-" + hex.EncodeToString(hash[:8])
}

func missing(field string) error {
	return status.Errorf(codes.InvalidArgument, "%s is missing", field)
}

func internal(err error) error {
	return status.Error(codes.Internal, err.Error())
}
