package main

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

// node is the driver as one kubelet sees it.
type node struct {
	csi.UnimplementedNodeServer

	driver *driver
	config nodeConfig
}

func (n *node) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: n.config.Name}, nil
}

func (n *node) NodeGetCapabilities(
	context.Context, *csi.NodeGetCapabilitiesRequest,
) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

func (n *node) NodePublishVolume(
	_ context.Context, request *csi.NodePublishVolumeRequest,
) (*csi.NodePublishVolumeResponse, error) {
	if request.GetTargetPath() == "" {
		return nil, missing("the target path")
	}
	if err := mountable(request.GetVolumeCapability()); err != nil {
		return nil, err
	}
	found, err := n.driver.existing(request.GetVolumeId())
	if err != nil {
		return nil, err
	}
	if err := n.driver.knobs.act("NodePublishVolume", found.ID); err != nil {
		return nil, err
	}
	folder := n.driver.data.volume(found.ID)
	if err := mount(n.config.MountNamespace, folder, request.GetTargetPath(), request.GetReadonly()); err != nil {
		return nil, internal(err)
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

func (n *node) NodeUnpublishVolume(
	_ context.Context, request *csi.NodeUnpublishVolumeRequest,
) (*csi.NodeUnpublishVolumeResponse, error) {
	if request.GetVolumeId() == "" {
		return nil, missing("the volume id")
	}
	if request.GetTargetPath() == "" {
		return nil, missing("the target path")
	}
	if err := n.driver.knobs.act("NodeUnpublishVolume", request.GetVolumeId()); err != nil {
		return nil, err
	}
	if err := unmount(n.config.MountNamespace, request.GetTargetPath()); err != nil {
		return nil, internal(err)
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}
