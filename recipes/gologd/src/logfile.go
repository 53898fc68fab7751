package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// LogFile is appended to and, where it grows beyond Limit bytes, renamed to `.1`, `.2` up to Keep.
type LogFile struct {
	Path  string
	Limit int64
	Keep  int

	mutex sync.Mutex
	file  *os.File
	size  int64
}

// Open makes the file, and its folder, where they are missing. Only root and its group may read what is logged.
func (log *LogFile) Open() error {
	if err := os.MkdirAll(filepath.Dir(log.Path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(log.Path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return err
	}
	log.file, log.size = file, info.Size()
	return nil
}

// Reopen goes on in a new file where something else moved the old one away.
func (log *LogFile) Reopen() error {
	log.mutex.Lock()
	defer log.mutex.Unlock()
	log.file.Close()
	return log.Open()
}

// Append writes one line. A line never goes to two files.
func (log *LogFile) Append(line string) error {
	log.mutex.Lock()
	defer log.mutex.Unlock()
	if log.size > 0 && log.size+int64(len(line)) > log.Limit {
		if err := log.rotate(); err != nil {
			return err
		}
	}
	written, err := log.file.WriteString(line)
	log.size += int64(written)
	// On a full disk the line is lost; ending would lose all that follow, too.
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}

func (log *LogFile) rotate() error {
	log.file.Close()
	if log.Keep == 0 {
		_ = os.Remove(log.Path)
	}
	for number := log.Keep; number > 0; number-- {
		from := log.Path
		if number > 1 {
			from = fmt.Sprintf("%s.%d", log.Path, number-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", log.Path, number)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return log.Open()
}
