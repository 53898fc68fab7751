package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseKernelRecord(t *testing.T) {
	record, err := ParseKernelRecord("6,339,5140900,-,caller=T1;NET: Registered \\x1b[31m family\n SUBSYSTEM=acpi\n")
	if err != nil {
		t.Fatal(err)
	}
	want := Record{Priority: 6, Sequence: 339, Since: 5140900 * time.Microsecond, Text: "NET: Registered ?[31m family"}
	if record != want {
		t.Errorf("%+v, want %+v", record, want)
	}
	booted := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	if got := record.Line(booted, "ice"); got != "Mar  1 12:00:05 ice kernel: [    5.140900] NET: Registered ?[31m family\n" {
		t.Errorf("line %q", got)
	}
	for _, bad := range []string{"", "6,1,2", "x,1,2,-;t", "6,x,2,-;t", "6,1,x,-;t", "6;t", "-1,1,2,-;t"} {
		if _, err := ParseKernelRecord(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestParseSyslog(t *testing.T) {
	now := time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	for datagram, want := range map[string]Record{
		"<30>Feb 29 01:02:03 sshd[1]: hello\n": {Priority: 30, Text: "sshd[1]: hello"},
		"<191>cron: go":                        {Priority: 191, Text: "cron: go"},
		"<999>far":                             {Priority: 13, Text: "<999>far"},
		"plain\x1b]0;title\x07\nsecond":        {Priority: 13, Text: "plain?]0;title??second"},
		"":                                     {Priority: 13},
	} {
		want.Time = now
		if got := ParseSyslog(datagram, now); got != want {
			t.Errorf("%q: %+v, want %+v", datagram, got, want)
		}
	}
}

func TestLogFileRotates(t *testing.T) {
	log := LogFile{Path: filepath.Join(t.TempDir(), "log", "messages"), Limit: 25, Keep: 2}
	if err := log.Open(); err != nil {
		t.Fatal(err)
	}
	for number := 0; number < 9; number++ {
		if err := log.Append(fmt.Sprintf("message %d\n", number)); err != nil {
			t.Fatal(err)
		}
	}
	for suffix, want := range map[string]string{
		"":   "message 8\n",
		".1": "message 6\nmessage 7\n",
		".2": "message 4\nmessage 5\n",
		".3": "",
	} {
		content, _ := os.ReadFile(log.Path + suffix)
		if string(content) != want {
			t.Errorf("%q holds %q, want %q", suffix, content, want)
		}
	}
}

func TestCopiesKernelAndSocketAndGoesOnAfterARestart(t *testing.T) {
	folder := t.TempDir()
	settings := options{state: filepath.Join(folder, "sequence"), log: LogFile{Path: filepath.Join(folder, "messages"), Limit: 1 << 20, Keep: 1}}
	if err := settings.log.Open(); err != nil {
		t.Fatal(err)
	}
	feed := func(records ...string) {
		t.Helper()
		reading, writing, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- copyKernel(reading, &settings) }()
		for _, record := range records {
			// One read gives one record, as the kernel's device does.
			fmt.Fprint(writing, record)
			time.Sleep(20 * time.Millisecond)
		}
		writing.Close()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	feed("6,1,1000,-;one\n", "6,2,2000,-;two\n")
	feed("6,1,1000,-;one\n", "6,2,2000,-;two\n", "6,3,3000,-;three\n")

	socket, err := listen(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = copySocket(socket, &settings.log) }()
	client, err := net.Dial("unixgram", filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(client, "<13>app: four")
	limit := time.Now().Add(5 * time.Second)
	content := ""
	for !strings.Contains(content, "four") && time.Now().Before(limit) {
		raw, _ := os.ReadFile(settings.log.Path)
		content = string(raw)
	}
	var texts []string
	for _, line := range strings.Split(strings.TrimSpace(content), "\n") {
		fields := strings.Fields(line)
		texts = append(texts, fields[len(fields)-1])
	}
	if got := strings.Join(texts, " "); got != "one two three four" {
		t.Errorf("logged %q", got)
	}
}

func TestListenRefusesToRemoveAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(path); err == nil {
		t.Error("a file was replaced by a socket")
	}
}
