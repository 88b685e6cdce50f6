package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// mount shows folder at target in a mount namespace. It is carried over as a mount, not found again by its path: the
// other namespace may have another file system there, or none.
func mount(namespace, folder, target string, readOnly bool) error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, folder, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open_tree %s: %w", folder, err)
	}
	defer unix.Close(tree)
	if readOnly {
		set := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &set); err != nil {
			return fmt.Errorf("mount_setattr %s: %w", folder, err)
		}
	}
	return within(namespace, func() error {
		mounted, err := isMounted(target)
		if err != nil || mounted {
			return err
		}
		if err := unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("move_mount to %s: %w", target, err)
		}
		return nil
	})
}

// unmount leaves nothing at target.
func unmount(namespace, target string) error {
	return within(namespace, func() error {
		if err := unix.Unmount(target, 0); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("umount %s: %w", target, err)
		}
		if err := os.Remove(target); err != nil && !os.IsNotExist(err) {
			return err
		}
		return nil
	})
}

// isMounted makes the folder where there is none.
func isMounted(target string) (bool, error) {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return false, err
	}
	var found unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, target, unix.AT_SYMLINK_NOFOLLOW, 0, &found); err != nil {
		return false, err
	}
	return found.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}

// within does work in a mount namespace.
func within(namespace string, work func() error) error {
	if namespace == "" {
		return work()
	}
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with this goroutine, so that no other one finds itself elsewhere.
		runtime.LockOSThread()
		done <- enter(namespace, work)
	}()
	return <-done
}

func enter(namespace string, work func() error) error {
	file, err := os.Open(namespace)
	if err != nil {
		return err
	}
	defer file.Close()
	// Threads share their working directory, and who shares it may not change the namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("setns %s: %w", namespace, err)
	}
	return work()
}
