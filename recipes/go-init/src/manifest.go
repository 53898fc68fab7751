package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Restart says what happens when a service ends by itself.
type Restart string

const (
	RestartAlways    Restart = "always"
	RestartOnFailure Restart = "on-failure"
	RestartNever     Restart = "never"
)

// Manifest is what a service file declares; `go-init.5` in README.md describes every key.
type Manifest struct {
	Name    string
	Command []string
	// Oneshot services count as up once their command ended with status 0.
	Oneshot bool
	// Needs are started first and must be up; where one fails, this one waits.
	Needs []string
	// After is order alone: wait for these where they are enabled, whatever becomes of them.
	After       []string
	Restart     Restart
	User        string
	Directory   string
	Environment []string
	// TTY becomes the controlling terminal and all three standard streams.
	TTY string
	// Output receives both outputs, appended; the console without it.
	Output string
	// NotifyFD is where the service writes a line when it is ready; -1 where it is ready once started.
	NotifyFD    int
	StopSignal  syscall.Signal
	StopTimeout time.Duration
	// Finish runs after the command ended, with its exit code and its wait status as arguments.
	Finish []string
}

var serviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]*$`)

// stopSignals are those that mean an end; others would leave a service running that was told to stop.
var stopSignals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP,
	"QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2, "KILL": syscall.SIGKILL,
}

// LoadServices reads the manifests `NAME.service` of one folder and the runit directories of another.
// What cannot be read is left out and told: one bad file must not keep the machine from starting.
func LoadServices(manifests, runit string) ([]Manifest, []error) {
	var problems []error
	byName := map[string]Manifest{}
	for _, folder := range sortedNames(runit) {
		service, err := runitService(filepath.Join(runit, folder), folder)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		byName[folder] = service
	}
	for _, file := range sortedNames(manifests) {
		name := strings.TrimSuffix(file, ".service")
		if name == file {
			continue
		}
		service, err := readManifest(filepath.Join(manifests, file), name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		byName[name] = service
	}
	services := make([]Manifest, 0, len(byName))
	for _, service := range byName {
		services = append(services, service)
	}
	sort.Slice(services, func(i, j int) bool { return services[i].Name < services[j].Name })
	return services, problems
}

func sortedNames(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// runitService is a directory with a program `run` and perhaps `finish`, as packages declare services.
func runitService(folder, name string) (Manifest, error) {
	service := defaults(name)
	if !serviceName.MatchString(name) {
		return service, fmt.Errorf("%s: not a name for a service", folder)
	}
	if info, err := os.Stat(filepath.Join(folder, "run")); err != nil || info.Mode()&0o111 == 0 {
		return service, fmt.Errorf("%s: no program named run", folder)
	}
	service.Command = []string{"./run"}
	service.Directory = folder
	if info, err := os.Stat(filepath.Join(folder, "finish")); err == nil && info.Mode()&0o111 != 0 {
		service.Finish = []string{"./finish"}
	}
	return service, nil
}

func readManifest(file, name string) (Manifest, error) {
	opened, err := os.Open(file)
	if err != nil {
		return Manifest{}, err
	}
	defer opened.Close()
	service, err := ParseManifest(name, opened)
	if err != nil {
		return Manifest{}, fmt.Errorf("%s:%w", file, err)
	}
	return service, nil
}

func defaults(name string) Manifest {
	return Manifest{
		Name:        name,
		Restart:     RestartAlways,
		Directory:   "/",
		NotifyFD:    -1,
		StopSignal:  syscall.SIGTERM,
		StopTimeout: 10 * time.Second,
	}
}

// ParseManifest reads lines `key = value`; `#` begins a comment line. Errors begin with the line number.
func ParseManifest(name string, input io.Reader) (Manifest, error) {
	service := defaults(name)
	if !serviceName.MatchString(name) {
		return service, fmt.Errorf("1: %q is not a name for a service", name)
	}
	seen := map[string]bool{}
	lines := bufio.NewScanner(input)
	number := 0
	for lines.Scan() {
		number++
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !found {
			return service, fmt.Errorf("%d: expected key = value", number)
		}
		if seen[key] && key != "env" {
			return service, fmt.Errorf("%d: %s is given twice", number, key)
		}
		seen[key] = true
		if err := service.set(key, value); err != nil {
			return service, fmt.Errorf("%d: %s: %w", number, key, err)
		}
	}
	if err := lines.Err(); err != nil {
		return service, fmt.Errorf("%d: %w", number+1, err)
	}
	if len(service.Command) == 0 {
		return service, fmt.Errorf("%d: no command is given", number)
	}
	if service.Oneshot && !seen["restart"] {
		service.Restart = RestartNever
	}
	if service.Oneshot && service.NotifyFD >= 0 {
		return service, fmt.Errorf("%d: a oneshot service is ready when it ends, notify has no meaning", number)
	}
	return service, nil
}

func (service *Manifest) set(key, value string) error {
	var err error
	switch key {
	case "command":
		service.Command, err = splitWords(value)
	case "type":
		service.Oneshot = value == "oneshot"
		if !service.Oneshot && value != "daemon" {
			err = errors.New("expected daemon or oneshot")
		}
	case "needs":
		service.Needs, err = names(value)
	case "after":
		service.After, err = names(value)
	case "restart":
		service.Restart = Restart(value)
		if value != string(RestartAlways) && value != string(RestartOnFailure) && value != string(RestartNever) {
			err = errors.New("expected always, on-failure or never")
		}
	case "user":
		service.User = value
	case "directory":
		service.Directory, err = absolute(value)
	case "env":
		if !strings.Contains(value, "=") {
			err = errors.New("expected NAME=VALUE")
		}
		service.Environment = append(service.Environment, value)
	case "tty":
		service.TTY, err = absolute(filepath.Join("/dev", strings.TrimPrefix(value, "/dev/")))
	case "output":
		service.Output, err = absolute(value)
	case "notify":
		service.NotifyFD, err = strconv.Atoi(value)
		if err != nil || service.NotifyFD < 3 || service.NotifyFD > 9 {
			err = errors.New("expected a descriptor from 3 to 9")
		}
	case "stop-signal":
		var known bool
		if service.StopSignal, known = stopSignals[strings.TrimPrefix(value, "SIG")]; !known {
			err = errors.New("expected TERM, INT, HUP, QUIT, USR1, USR2 or KILL")
		}
	case "stop-timeout":
		service.StopTimeout, err = time.ParseDuration(value)
		if err != nil || service.StopTimeout <= 0 {
			err = errors.New("expected a time such as 10s")
		}
	default:
		err = errors.New("no such key")
	}
	return err
}

func names(value string) ([]string, error) {
	list := strings.Fields(value)
	for _, name := range list {
		if !serviceName.MatchString(name) {
			return nil, fmt.Errorf("%q is not a name for a service", name)
		}
	}
	return list, nil
}

func absolute(value string) (string, error) {
	if !strings.HasPrefix(value, "/") {
		return "", errors.New("expected an absolute path")
	}
	return filepath.Clean(value), nil
}

// splitWords divides a command line as a shell does, with quotes and backslashes, and expands nothing.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	quote := rune(0)
	escaped := false
	for _, char := range line {
		switch {
		case escaped:
			word.WriteRune(char)
			escaped = false
		case char == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0:
			if char == quote {
				quote = 0
			} else {
				word.WriteRune(char)
			}
		case char == '\'' || char == '"':
			quote, inWord = char, true
		case char == ' ' || char == '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(char)
			inWord = true
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quote or backslash without its end")
	}
	if inWord {
		words = append(words, word.String())
	}
	if len(words) == 0 {
		return nil, errors.New("expected a program and its arguments")
	}
	return words, nil
}
