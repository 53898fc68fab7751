package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const watched = syscall.IN_CREATE | syscall.IN_DELETE | syscall.IN_MODIFY | syscall.IN_ATTRIB | syscall.IN_MOVED_FROM | syscall.IN_MOVED_TO

// settle is how long nothing may happen before the folder is looked at: programs write in several steps.
const settle = 300 * time.Millisecond

// longest is how long a steady stream of changes can put that off.
const longest = 5 * time.Second

// Watcher tells when anything below a folder changes (inotify(7)).
type Watcher struct {
	folder     string
	descriptor int
	events     chan struct{}
}

// OpenWatcher watches all folders below one.
func OpenWatcher(folder string) (*Watcher, error) {
	descriptor, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	watcher := &Watcher{folder, descriptor, make(chan struct{}, 1)}
	if err := watcher.cover(); err != nil {
		syscall.Close(descriptor)
		return nil, err
	}
	go watcher.read()
	return watcher, nil
}

// cover adds folders that are new; watching one twice does nothing.
func (watcher *Watcher) cover() error {
	return filepath.WalkDir(watcher.folder, func(path string, item fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != watcher.folder {
			return nil
		}
		if err != nil || !item.IsDir() {
			return err
		}
		if _, err := syscall.InotifyAddWatch(watcher.descriptor, path, watched); err != nil && err != syscall.ENOENT {
			return fmt.Errorf("cannot watch %s: %w", path, err)
		}
		return nil
	})
}

func (watcher *Watcher) read() {
	buffer := make([]byte, 65536)
	for {
		size, err := syscall.Read(watcher.descriptor, buffer)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || size <= 0 {
			close(watcher.events)
			return
		}
		select {
		case watcher.events <- struct{}{}:
		default:
		}
	}
}

// Wait returns when something changed and it has become quiet; false where the folder cannot be watched any more.
func (watcher *Watcher) Wait(stop <-chan os.Signal) bool {
	select {
	case <-stop:
		return false
	case _, open := <-watcher.events:
		if !open {
			return false
		}
	}
	end := time.After(longest)
	for {
		select {
		case <-stop:
			return false
		case <-watcher.events:
		case <-end:
			return true
		case <-time.After(settle):
			return true
		}
	}
}
