package main

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const defaultCapacity = 1 << 30

// volume is a record.
type volume struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Capacity int64  `json:"capacity"`
	// Snapshot and Volume are what it was made from, if from anything.
	Snapshot string `json:"snapshot,omitempty"`
	Volume   string `json:"volume,omitempty"`
}

func (v *volume) source() *csi.VolumeContentSource {
	switch {
	case v.Snapshot != "":
		return &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Snapshot{
			Snapshot: &csi.VolumeContentSource_SnapshotSource{SnapshotId: v.Snapshot},
		}}
	case v.Volume != "":
		return &csi.VolumeContentSource{Type: &csi.VolumeContentSource_Volume{
			Volume: &csi.VolumeContentSource_VolumeSource{VolumeId: v.Volume},
		}}
	}
	return nil
}

func (v *volume) response() *csi.CreateVolumeResponse {
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId: v.ID, CapacityBytes: v.Capacity, ContentSource: v.source(),
	}}
}

func (d *driver) CreateVolume(
	_ context.Context, request *csi.CreateVolumeRequest,
) (*csi.CreateVolumeResponse, error) {
	if request.GetName() == "" {
		return nil, missing("the name")
	}
	if err := mountable(request.GetVolumeCapabilities()...); err != nil {
		return nil, err
	}
	id := id("volume", request.GetName())
	release, err := d.busy.take(id)
	if err != nil {
		return nil, err
	}
	defer release()

	wanted := request.GetCapacityRange()
	existing, err := d.volumes.get(id)
	if err != nil {
		return nil, err
	}
	if existing != nil {
		if existing.Capacity < wanted.GetRequiredBytes() ||
			wanted.GetLimitBytes() > 0 && existing.Capacity > wanted.GetLimitBytes() {
			return nil, status.Errorf(codes.AlreadyExists, "%s has %d bytes", id, existing.Capacity)
		}
		return existing.response(), nil
	}
	made := &volume{ID: id, Name: request.GetName(), Capacity: max(wanted.GetRequiredBytes(), 1)}
	if wanted.GetRequiredBytes() == 0 && wanted.GetLimitBytes() == 0 {
		made.Capacity = defaultCapacity
	}
	from, err := d.contentOf(request.GetVolumeContentSource(), made)
	if err != nil {
		return nil, err
	}
	if err := d.knobs.act("CreateVolume", id); err != nil {
		return nil, err
	}
	if err := d.data.makeVolume(id, from); err != nil {
		return nil, internal(err)
	}
	return made.response(), d.volumes.put(id, made)
}

// contentOf is the folder with the content of a new volume, which notes where it is from.
func (d *driver) contentOf(source *csi.VolumeContentSource, made *volume) (string, error) {
	if source.GetSnapshot() != nil {
		made.Snapshot = source.GetSnapshot().GetSnapshotId()
		found, err := d.snapshots.get(made.Snapshot)
		if err == nil && found == nil {
			err = status.Errorf(codes.NotFound, "there is no snapshot %s", made.Snapshot)
		}
		if err != nil {
			return "", err
		}
		return d.data.of(found.Cut, found.Volume), nil
	}
	if source.GetVolume() != nil {
		made.Volume = source.GetVolume().GetVolumeId()
		found, err := d.existing(made.Volume)
		if err != nil {
			return "", err
		}
		return d.data.volume(found.ID), nil
	}
	return "", nil
}

func (d *driver) DeleteVolume(
	_ context.Context, request *csi.DeleteVolumeRequest,
) (*csi.DeleteVolumeResponse, error) {
	if request.GetVolumeId() == "" {
		return nil, missing("the volume id")
	}
	release, err := d.busy.take(request.GetVolumeId())
	if err != nil {
		return nil, err
	}
	defer release()
	found, err := d.volumes.get(request.GetVolumeId())
	if err != nil || found == nil {
		return &csi.DeleteVolumeResponse{}, err
	}
	if err := d.knobs.act("DeleteVolume", found.ID); err != nil {
		return nil, err
	}
	if err := d.data.removeVolume(found.ID); err != nil {
		return nil, internal(err)
	}
	return &csi.DeleteVolumeResponse{}, d.volumes.remove(found.ID)
}

func (d *driver) ValidateVolumeCapabilities(
	_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest,
) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if _, err := d.existing(request.GetVolumeId()); err != nil {
		return nil, err
	}
	if err := mountable(request.GetVolumeCapabilities()...); err != nil {
		return nil, err
	}
	return &csi.ValidateVolumeCapabilitiesResponse{
		Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
			VolumeContext:      request.GetVolumeContext(),
			VolumeCapabilities: request.GetVolumeCapabilities(),
			Parameters:         request.GetParameters(),
		},
	}, nil
}

// existing is the volume, or the error that says what is wrong with its id.
func (d *driver) existing(id string) (*volume, error) {
	if id == "" {
		return nil, missing("the volume id")
	}
	found, err := d.volumes.get(id)
	if err == nil && found == nil {
		err = status.Errorf(codes.NotFound, "there is no volume %s", id)
	}
	return found, err
}

// mountable refuses what a folder can't be.
func mountable(capabilities ...*csi.VolumeCapability) error {
	if len(capabilities) == 0 || capabilities[0] == nil {
		return missing("the volume capability")
	}
	for _, capability := range capabilities {
		if capability.GetBlock() != nil {
			return status.Error(codes.InvalidArgument, "volumes are folders, not block devices")
		}
	}
	return nil
}
