package main

import (
	"context"
	"slices"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// group is a record: snapshots of one moment.
type group struct {
	ID        string    `json:"id"`
	Volumes   []string  `json:"volumes"`
	Snapshots []string  `json:"snapshots"`
	Taken     time.Time `json:"taken"`
	Ready     time.Time `json:"ready"`
}

func (d *driver) message(of *group) (*csi.VolumeGroupSnapshot, error) {
	message := &csi.VolumeGroupSnapshot{
		GroupSnapshotId: of.ID,
		CreationTime:    timestamppb.New(of.Taken),
		ReadyToUse:      !time.Now().Before(of.Ready),
	}
	for _, id := range of.Snapshots {
		member, err := d.snapshots.get(id)
		if err != nil {
			return nil, err
		}
		if member == nil {
			return nil, status.Errorf(codes.Internal, "%s of %s is gone", id, of.ID)
		}
		message.Snapshots = append(message.Snapshots, member.message())
	}
	return message, nil
}

func (d *driver) CreateVolumeGroupSnapshot(
	_ context.Context, request *csi.CreateVolumeGroupSnapshotRequest,
) (*csi.CreateVolumeGroupSnapshotResponse, error) {
	if request.GetName() == "" {
		return nil, missing("the name")
	}
	if len(request.GetSourceVolumeIds()) == 0 {
		return nil, missing("the source volume ids")
	}
	id := id("group", request.GetName())
	release, err := d.busy.take(id)
	if err != nil {
		return nil, err
	}
	defer release()

	volumes := slices.Sorted(slices.Values(request.GetSourceVolumeIds()))
	found, err := d.groups.get(id)
	if err != nil {
		return nil, err
	}
	if found != nil && !slices.Equal(found.Volumes, volumes) {
		return nil, status.Errorf(codes.AlreadyExists, "%s is of %v", id, found.Volumes)
	}
	if found == nil {
		if found, err = d.makeGroup(id, volumes); err != nil {
			return nil, err
		}
	}
	message, err := d.message(found)
	return &csi.CreateVolumeGroupSnapshotResponse{GroupSnapshot: message}, err
}

// makeGroup writes the group's record last: a group without one is made anew.
func (d *driver) makeGroup(id string, volumes []string) (*group, error) {
	sizes := make([]int64, 0, len(volumes))
	for _, volume := range volumes {
		source, err := d.existing(volume)
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, source.Capacity)
	}
	taken, ready, err := d.cut("CreateVolumeGroupSnapshot", id, volumes)
	if err != nil {
		return nil, err
	}
	made := &group{ID: id, Volumes: volumes, Taken: taken, Ready: ready}
	for index, volume := range volumes {
		member := &snapshot{
			ID: memberID(id, volume), Volume: volume, Cut: id, Group: id, Size: sizes[index], Taken: taken, Ready: ready,
		}
		if err := d.snapshots.put(member.ID, member); err != nil {
			return nil, err
		}
		made.Snapshots = append(made.Snapshots, member.ID)
	}
	return made, d.groups.put(id, made)
}

func memberID(group, volume string) string {
	return id("snapshot", group+" of "+volume)
}

func (d *driver) GetVolumeGroupSnapshot(
	_ context.Context, request *csi.GetVolumeGroupSnapshotRequest,
) (*csi.GetVolumeGroupSnapshotResponse, error) {
	if request.GetGroupSnapshotId() == "" {
		return nil, missing("the group snapshot id")
	}
	found, err := d.groups.get(request.GetGroupSnapshotId())
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, status.Errorf(codes.NotFound, "there is no group %s", request.GetGroupSnapshotId())
	}
	if err := found.consistsOf(request.GetSnapshotIds()); err != nil {
		return nil, err
	}
	message, err := d.message(found)
	return &csi.GetVolumeGroupSnapshotResponse{GroupSnapshot: message}, err
}

func (d *driver) DeleteVolumeGroupSnapshot(
	_ context.Context, request *csi.DeleteVolumeGroupSnapshotRequest,
) (*csi.DeleteVolumeGroupSnapshotResponse, error) {
	if request.GetGroupSnapshotId() == "" {
		return nil, missing("the group snapshot id")
	}
	release, err := d.busy.take(request.GetGroupSnapshotId())
	if err != nil {
		return nil, err
	}
	defer release()
	found, err := d.groups.get(request.GetGroupSnapshotId())
	if err != nil || found == nil {
		return &csi.DeleteVolumeGroupSnapshotResponse{}, err
	}
	if err := found.consistsOf(request.GetSnapshotIds()); err != nil {
		return nil, err
	}
	if err := d.knobs.act("DeleteVolumeGroupSnapshot", found.Volumes...); err != nil {
		return nil, err
	}
	if err := d.data.removeCut(found.ID); err != nil {
		return nil, internal(err)
	}
	for _, member := range found.Snapshots {
		if err := d.snapshots.remove(member); err != nil {
			return nil, err
		}
	}
	return &csi.DeleteVolumeGroupSnapshotResponse{}, d.groups.remove(found.ID)
}

// consistsOf refuses a caller who thinks that other snapshots belong to the group.
func (g *group) consistsOf(snapshots []string) error {
	for _, id := range snapshots {
		if !slices.Contains(g.Snapshots, id) {
			return status.Errorf(codes.InvalidArgument, "%s is no snapshot of %s", id, g.ID)
		}
	}
	return nil
}
