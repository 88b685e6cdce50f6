package main

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// snapshot is a record.
type snapshot struct {
	ID string `json:"id"`
	// Volume is what was cut.
	Volume string `json:"volume"`
	// Cut is where its data is: its own, or the group's.
	Cut   string    `json:"cut"`
	Group string    `json:"group,omitempty"`
	Size  int64     `json:"size"`
	Taken time.Time `json:"taken"`
	Ready time.Time `json:"ready"`
}

func (s *snapshot) message() *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId:      s.ID,
		SourceVolumeId:  s.Volume,
		GroupSnapshotId: s.Group,
		SizeBytes:       s.Size,
		CreationTime:    timestamppb.New(s.Taken),
		ReadyToUse:      !time.Now().Before(s.Ready),
	}
}

func (d *driver) CreateSnapshot(
	_ context.Context, request *csi.CreateSnapshotRequest,
) (*csi.CreateSnapshotResponse, error) {
	if request.GetName() == "" {
		return nil, missing("the name")
	}
	if request.GetSourceVolumeId() == "" {
		return nil, missing("the source volume id")
	}
	id := id("snapshot", request.GetName())
	release, err := d.busy.take(id)
	if err != nil {
		return nil, err
	}
	defer release()

	existing, err := d.snapshots.get(id)
	if err != nil {
		return nil, err
	}
	if existing != nil {
		if existing.Volume != request.GetSourceVolumeId() {
			return nil, status.Errorf(codes.AlreadyExists, "%s is of %s", id, existing.Volume)
		}
		return &csi.CreateSnapshotResponse{Snapshot: existing.message()}, nil
	}
	source, err := d.existing(request.GetSourceVolumeId())
	if err != nil {
		return nil, err
	}
	taken, ready, err := d.cut("CreateSnapshot", id, []string{source.ID})
	if err != nil {
		return nil, err
	}
	made := &snapshot{ID: id, Volume: source.ID, Cut: id, Size: source.Capacity, Taken: taken, Ready: ready}
	return &csi.CreateSnapshotResponse{Snapshot: made.message()}, d.snapshots.put(id, made)
}

// cut takes the time it should and then cuts: who goes on before it is done is always seen in the data. It says when it
// was taken, and when it is ready.
func (d *driver) cut(operation, id string, volumes []string) (time.Time, time.Time, error) {
	if err := d.knobs.act(operation, volumes...); err != nil {
		return time.Time{}, time.Time{}, err
	}
	if err := d.data.makeCut(id, volumes); err != nil {
		return time.Time{}, time.Time{}, internal(err)
	}
	taken := time.Now()
	return taken, taken.Add(d.knobs.duration(operation+".ready", volumes)), nil
}

func (d *driver) DeleteSnapshot(
	_ context.Context, request *csi.DeleteSnapshotRequest,
) (*csi.DeleteSnapshotResponse, error) {
	if request.GetSnapshotId() == "" {
		return nil, missing("the snapshot id")
	}
	release, err := d.busy.take(request.GetSnapshotId())
	if err != nil {
		return nil, err
	}
	defer release()
	found, err := d.snapshots.get(request.GetSnapshotId())
	if err != nil || found == nil {
		return &csi.DeleteSnapshotResponse{}, err
	}
	if found.Group != "" {
		return nil, status.Errorf(codes.FailedPrecondition, "%s goes with its group %s", found.ID, found.Group)
	}
	if err := d.knobs.act("DeleteSnapshot", found.Volume); err != nil {
		return nil, err
	}
	if err := d.data.removeCut(found.Cut); err != nil {
		return nil, internal(err)
	}
	return &csi.DeleteSnapshotResponse{}, d.snapshots.remove(found.ID)
}

func (d *driver) ListSnapshots(
	_ context.Context, request *csi.ListSnapshotsRequest,
) (*csi.ListSnapshotsResponse, error) {
	all, err := d.snapshots.all()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(found *snapshot) bool {
		return request.GetSnapshotId() != "" && request.GetSnapshotId() != found.ID ||
			request.GetSourceVolumeId() != "" && request.GetSourceVolumeId() != found.Volume
	})
	start := 0
	if token := request.GetStartingToken(); token != "" {
		start, err = strconv.Atoi(token)
		if err != nil || start < 0 || start > len(all) {
			return nil, status.Errorf(codes.Aborted, "%q is no token of this list", token)
		}
	}
	end, next := len(all), ""
	if most := int(request.GetMaxEntries()); most > 0 && end-start > most {
		end = start + most
		next = strconv.Itoa(end)
	}
	response := &csi.ListSnapshotsResponse{NextToken: next}
	for _, found := range all[start:end] {
		response.Entries = append(response.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: found.message()})
	}
	return response, nil
}
