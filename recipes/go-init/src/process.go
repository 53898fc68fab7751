package main

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// toolFolder holds `sv`, so that the run scripts of declared services find it under this init as under runit.
const toolFolder = "/usr/lib/go-init"

const searchPath = toolFolder + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// spawn starts a service in a session of its own. ready is called when it writes a line to its notify descriptor.
// The process is not waited for here: the reaper sees every child end.
func spawn(service Manifest, ready func()) (int, error) {
	program, err := find(service.Command[0], service.Directory)
	if err != nil {
		return 0, err
	}
	streams, err := openStreams(service)
	if err != nil {
		return 0, err
	}
	defer closeAll(streams)
	attributes := &syscall.SysProcAttr{Setsid: true, Setctty: service.TTY != "", Ctty: 0}
	environment := append([]string{"PATH=" + searchPath, "HOME=/", "TERM=" + term(service)}, service.Environment...)
	if service.User != "" {
		account, err := lookUp(service.User)
		if err != nil {
			return 0, err
		}
		attributes.Credential = account.credential
		environment = append(environment, "HOME="+account.home, "USER="+service.User, "LOGNAME="+service.User)
	}
	files := append([]*os.File{}, streams...)
	if service.NotifyFD >= 0 {
		reading, writing, err := os.Pipe()
		if err != nil {
			return 0, err
		}
		defer writing.Close()
		for len(files) < service.NotifyFD {
			files = append(files, nil)
		}
		files = append(files, writing)
		go awaitLine(reading, ready)
	}
	process, err := os.StartProcess(program, service.Command, &os.ProcAttr{
		Dir: service.Directory, Env: environment, Files: files, Sys: attributes,
	})
	if err != nil {
		return 0, fmt.Errorf("cannot start %s: %w", program, err)
	}
	pid := process.Pid
	return pid, process.Release()
}

func awaitLine(pipe *os.File, ready func()) {
	defer pipe.Close()
	if _, err := bufio.NewReader(pipe).ReadString('\n'); err == nil {
		ready()
	}
}

func find(program, directory string) (string, error) {
	if strings.Contains(program, "/") {
		at := program
		if !filepath.IsAbs(at) {
			at = filepath.Join(directory, at)
		}
		if _, err := os.Stat(at); err != nil {
			return "", fmt.Errorf("cannot start %s: no such program", at)
		}
		return at, nil
	}
	for _, folder := range filepath.SplitList(searchPath) {
		at := filepath.Join(folder, program)
		if info, err := os.Stat(at); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return at, nil
		}
	}
	return "", fmt.Errorf("cannot start %s: no such program in %s", program, searchPath)
}

func openStreams(service Manifest) ([]*os.File, error) {
	if service.TTY != "" {
		terminal, err := os.OpenFile(service.TTY, os.O_RDWR|syscall.O_NOCTTY, 0)
		if err != nil {
			return nil, err
		}
		return []*os.File{terminal, terminal, terminal}, nil
	}
	input, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	if service.Output == "" {
		return []*os.File{input, os.Stderr, os.Stderr}, nil
	}
	output, err := os.OpenFile(service.Output, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		input.Close()
		return nil, err
	}
	return []*os.File{input, output, output}, nil
}

func closeAll(files []*os.File) {
	for _, file := range files {
		if file != os.Stderr {
			file.Close()
		}
	}
}

func term(service Manifest) string {
	if service.TTY == "" || strings.HasPrefix(service.TTY, "/dev/tty") && !strings.HasPrefix(service.TTY, "/dev/ttyS") {
		return "linux"
	}
	return "vt100"
}

type account struct {
	credential *syscall.Credential
	home       string
}

// lookUp reads the account files at every start, so that an account that a package brought counts at once.
func lookUp(name string) (account, error) {
	found, err := user.Lookup(name)
	if err != nil {
		return account{}, fmt.Errorf("cannot start as %s: no such user", name)
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return account{}, err
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return account{}, err
	}
	credential := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	groups, err := found.GroupIds()
	if err != nil {
		return account{}, err
	}
	for _, group := range groups {
		number, err := strconv.ParseUint(group, 10, 32)
		if err != nil {
			return account{}, err
		}
		credential.Groups = append(credential.Groups, uint32(number))
	}
	return account{credential, found.HomeDir}, nil
}

// Reap collects every child that ends, those of others that lost their parent included, and hands them on.
func Reap(exited func(int, syscall.WaitStatus)) {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		reapAll(exited)
		<-children
	}
}

func reapAll(exited func(int, syscall.WaitStatus)) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		exited(pid, status)
	}
}
