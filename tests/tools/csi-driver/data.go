package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// data is where volumes and cuts are: every volume is a folder of `live`, and a cut is all of what was live then.
// That is how a cut of several volumes is one moment as well.
type data struct {
	folder string
	// pointInTime says that `live` is a subvolume of btrfs; without it, a cut is a copy that takes its time.
	pointInTime bool
}

func openData(folder string, pointInTime bool) (data, error) {
	opened := data{folder, pointInTime}
	if _, err := os.Stat(opened.live()); err == nil {
		return opened, nil
	}
	if err := os.MkdirAll(opened.cut(""), 0o755); err != nil {
		return opened, err
	}
	if pointInTime {
		return opened, command("btrfs", "subvolume", "create", opened.live())
	}
	return opened, os.MkdirAll(opened.live(), 0o755)
}

func (d data) live() string             { return filepath.Join(d.folder, "live") }
func (d data) volume(id string) string  { return filepath.Join(d.live(), id) }
func (d data) cut(id string) string     { return filepath.Join(d.folder, "cuts", id) }
func (d data) of(cut, id string) string { return filepath.Join(d.cut(cut), id) }

// makeVolume makes an empty volume, or one with what is in the folder from. A rest of an earlier attempt is removed.
func (d data) makeVolume(id, from string) error {
	if err := os.RemoveAll(d.volume(id)); err != nil {
		return err
	}
	if from != "" {
		return copyFolder(from, d.volume(id))
	}
	if err := os.Mkdir(d.volume(id), 0o777); err != nil {
		return err
	}
	// Whatever user a pod runs as, and whatever the umask here.
	return os.Chmod(d.volume(id), 0o777)
}

func (d data) removeVolume(id string) error {
	return os.RemoveAll(d.volume(id))
}

// makeCut cuts volumes. A rest of an earlier attempt is removed.
func (d data) makeCut(cut string, volumes []string) error {
	if err := d.removeCut(cut); err != nil {
		return err
	}
	if d.pointInTime {
		return command("btrfs", "subvolume", "snapshot", "-r", d.live(), d.cut(cut))
	}
	if err := os.MkdirAll(d.cut(cut), 0o755); err != nil {
		return err
	}
	for _, volume := range volumes {
		if err := copyFolder(d.volume(volume), d.of(cut, volume)); err != nil {
			return err
		}
	}
	return nil
}

func (d data) removeCut(cut string) error {
	if _, err := os.Stat(d.cut(cut)); os.IsNotExist(err) {
		return nil
	}
	if d.pointInTime {
		return command("btrfs", "subvolume", "delete", d.cut(cut))
	}
	return os.RemoveAll(d.cut(cut))
}

// copyFolder keeps owners, times and links; on btrfs no block is really copied.
func copyFolder(from, to string) error {
	return command("cp", "--archive", "--reflink=auto", "--no-target-directory", from, to)
}

func command(program string, arguments ...string) error {
	if output, err := exec.Command(program, arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", program, arguments, err, output)
	}
	return nil
}
