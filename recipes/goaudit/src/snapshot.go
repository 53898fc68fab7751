package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// Entry is what counts of one path. Times do not: rewriting the same content changes nothing.
type Entry struct {
	Mode     fs.FileMode
	UID, GID uint32
	// Content is the sha256 of a file, or the target of a symlink.
	Content string
}

// Snapshot maps paths below the folder to what is there.
type Snapshot map[string]Entry

// Take reads a folder. What cannot be read is an error: an auditor that skips in silence audits nothing.
func Take(folder string, config Config) (Snapshot, error) {
	taken := Snapshot{}
	err := filepath.WalkDir(folder, func(path string, item fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != folder {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if config.ignores(name) {
			if item.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		entry, err := look(path)
		// It went away between the listing and the look.
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		taken[name] = entry
		return err
	})
	return taken, err
}

func look(path string) (Entry, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Entry{}, err
	}
	entry := Entry{Mode: info.Mode()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		entry.UID, entry.GID = stat.Uid, stat.Gid
	}
	switch {
	case info.Mode().IsRegular():
		entry.Content, err = digest(path)
	case info.Mode()&fs.ModeSymlink != 0:
		entry.Content, err = os.Readlink(path)
	}
	return entry, err
}

func digest(path string) (string, error) {
	// Neither a link nor a pipe that took the file's place may lead or hold the auditor elsewhere.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Change is one difference between two snapshots, in words.
type Change struct {
	Path, What string
}

// Compare lists what became different, in the order of the paths.
func Compare(before, after Snapshot) []Change {
	var changes []Change
	for path, old := range before {
		now, there := after[path]
		if !there {
			changes = append(changes, Change{path, "is gone"})
			continue
		}
		for _, what := range differences(old, now) {
			changes = append(changes, Change{path, what})
		}
	}
	for path, now := range after {
		if _, there := before[path]; !there {
			changes = append(changes, Change{path, fmt.Sprintf("is new: %s, owner %d:%d", now.Mode, now.UID, now.GID)})
		}
	}
	sort.Slice(changes, func(i, j int) bool {
		if changes[i].Path != changes[j].Path {
			return changes[i].Path < changes[j].Path
		}
		return changes[i].What < changes[j].What
	})
	return changes
}

func differences(old, now Entry) []string {
	var list []string
	if old.Mode != now.Mode {
		list = append(list, fmt.Sprintf("mode was %s, is %s", old.Mode, now.Mode))
	}
	if old.UID != now.UID || old.GID != now.GID {
		list = append(list, fmt.Sprintf("owner was %d:%d, is %d:%d", old.UID, old.GID, now.UID, now.GID))
	}
	if old.Content != now.Content {
		list = append(list, "content changed")
	}
	return list
}

// Save writes a snapshot as lines of five fields, the path last, sorted; by rename, so that there is never a half.
func (snapshot Snapshot) Save(path string) error {
	var text strings.Builder
	for _, name := range snapshot.sorted() {
		entry := snapshot[name]
		fmt.Fprintf(&text, "%o %d %d %s %s\n", uint32(entry.Mode), entry.UID, entry.GID, strconv.Quote(entry.Content), strconv.Quote(name))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	beside := path + ".new"
	if err := os.WriteFile(beside, []byte(text.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(beside, path)
}

// Load reads what Save wrote. Errors begin with the line number.
func Load(path string) (Snapshot, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	snapshot := Snapshot{}
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		var entry Entry
		var name string
		var mode uint32
		if _, err := fmt.Sscanf(lines.Text(), "%o %d %d %q %q", &mode, &entry.UID, &entry.GID, &entry.Content, &name); err != nil {
			return nil, fmt.Errorf("%s:%d: not a line of a baseline", path, number)
		}
		entry.Mode = fs.FileMode(mode)
		snapshot[name] = entry
	}
	return snapshot, lines.Err()
}

func (snapshot Snapshot) sorted() []string {
	names := make([]string, 0, len(snapshot))
	for name := range snapshot {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
