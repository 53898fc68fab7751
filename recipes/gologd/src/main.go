// gologd writes the kernel's messages, and those that programs send to /dev/log, to /var/log/messages.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

type options struct {
	kernel, socket, state string
	notify                int
	log                   LogFile
}

func main() {
	var settings options
	flag.StringVar(&settings.kernel, "kernel", "/dev/kmsg", "the kernel's log")
	flag.StringVar(&settings.socket, "socket", "/dev/log", "socket that programs log to; empty for none")
	flag.StringVar(&settings.state, "state", "/run/gologd.sequence", "remembers over a restart what was logged")
	flag.StringVar(&settings.log.Path, "output", "/var/log/messages", "file to append to")
	flag.Int64Var(&settings.log.Limit, "limit", 1<<20, "bytes after which a new file is begun")
	flag.IntVar(&settings.log.Keep, "keep", 3, "number of old files to keep")
	flag.IntVar(&settings.notify, "notify", 0, "descriptor that gets a line when everything is open")
	flag.Parse()
	if flag.NArg() > 0 || settings.log.Limit < 1024 || settings.log.Keep < 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(&settings); err != nil {
		fmt.Fprintf(os.Stderr, "gologd: %v\n", err)
		os.Exit(1)
	}
}

func run(settings *options) error {
	// The first files of a system are made before anybody could have set a mask.
	syscall.Umask(0o027)
	kernel, err := os.Open(settings.kernel)
	if err != nil {
		return err
	}
	if err := settings.log.Open(); err != nil {
		return err
	}
	var socket *net.UnixConn
	if settings.socket != "" {
		if socket, err = listen(settings.socket); err != nil {
			return err
		}
	}
	if settings.notify > 2 {
		_, _ = os.NewFile(uintptr(settings.notify), "notify").WriteString("\n")
	}
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM, syscall.SIGINT)
	reopening := make(chan os.Signal, 1)
	signal.Notify(reopening, syscall.SIGHUP)

	problems := make(chan error, 2)
	go func() { problems <- copyKernel(kernel, settings) }()
	if socket != nil {
		go func() { problems <- copySocket(socket, &settings.log) }()
	}
	for {
		select {
		case <-ending:
			return nil
		case <-reopening:
			if err := settings.log.Reopen(); err != nil {
				return err
			}
		case err := <-problems:
			return err
		}
	}
}

// copyKernel goes on after the last message that was logged before a restart.
func copyKernel(kernel *os.File, settings *options) error {
	last, known := readSequence(settings.state)
	booted := bootTime()
	state := sequenceFile{path: settings.state}
	defer state.flush()
	buffer := make([]byte, 16384)
	for {
		count, err := syscall.Read(int(kernel.Fd()), buffer)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EPIPE:
			// The kernel overwrote what was not read yet; the next read goes on with what is left.
			if err := settings.log.Append(Record{Time: time.Now(), Text: "gologd: messages of the kernel were lost"}.Line(booted, host())); err != nil {
				return err
			}
			continue
		case err != nil:
			return fmt.Errorf("cannot read %s: %w", settings.kernel, err)
		case count == 0:
			return nil
		}
		record, err := ParseKernelRecord(string(buffer[:count]))
		if err != nil || known && record.Sequence <= last {
			continue
		}
		if err := settings.log.Append(record.Line(booted, host())); err != nil {
			return err
		}
		state.remember(record.Sequence)
	}
}

func copySocket(socket *net.UnixConn, log *LogFile) error {
	buffer := make([]byte, 8192)
	for {
		count, err := socket.Read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read the socket: %w", err)
		}
		if err := log.Append(ParseSyslog(string(buffer[:count]), time.Now()).Line(time.Time{}, host())); err != nil {
			return err
		}
	}
}

func listen(path string) (*net.UnixConn, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket == 0 {
		return nil, fmt.Errorf("%s exists and is no socket", path)
	}
	_ = os.Remove(path)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	// Every program may log.
	return socket, os.Chmod(path, 0o666)
}

// sequenceFile is written at most once a second: a restart may repeat a message, and loses none.
type sequenceFile struct {
	path    string
	mutex   sync.Mutex
	value   uint64
	pending bool
}

func (file *sequenceFile) remember(value uint64) {
	file.mutex.Lock()
	defer file.mutex.Unlock()
	file.value = value
	if !file.pending {
		file.pending = true
		time.AfterFunc(time.Second, file.flush)
	}
}

func (file *sequenceFile) flush() {
	file.mutex.Lock()
	defer file.mutex.Unlock()
	if !file.pending {
		return
	}
	file.pending = false
	text := bootID() + " " + strconv.FormatUint(file.value, 10) + "\n"
	fresh := file.path + ".new"
	if os.WriteFile(fresh, []byte(text), 0o600) == nil {
		_ = os.Rename(fresh, file.path)
	}
}

// readSequence counts only for the kernel that is running: numbers begin anew with each start.
func readSequence(path string) (uint64, bool) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(content))
	if len(fields) != 2 || fields[0] != bootID() {
		return 0, false
	}
	value, err := strconv.ParseUint(fields[1], 10, 64)
	return value, err == nil
}

func bootID() string {
	content, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(content))
}

// bootTime is when the kernel's clock stood at zero, by the wall clock of now.
func bootTime() time.Time {
	content, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return time.Now()
	}
	first, _, _ := strings.Cut(string(content), " ")
	up, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return time.Now()
	}
	return time.Now().Add(-time.Duration(up * float64(time.Second)))
}

func host() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return filepath.Base(name)
}
