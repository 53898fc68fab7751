package main

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Record is one message, of the kernel or of a program.
type Record struct {
	// Priority is 8 times the facility plus the severity, as in RFC 3164.
	Priority int
	// Sequence counts the kernel's messages since it started; 0 for those of programs.
	Sequence uint64
	// Since is the time since the kernel started; messages of programs carry Time instead.
	Since time.Duration
	Time  time.Time
	Text  string
}

// ParseKernelRecord reads a record of /dev/kmsg: `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,…];TEXT`, and after a newline
// lines of properties that begin with a space (Documentation/ABI/testing/dev-kmsg).
func ParseKernelRecord(record string) (Record, error) {
	head, text, found := strings.Cut(record, ";")
	fields := strings.Split(head, ",")
	if !found || len(fields) < 3 {
		return Record{}, errors.New("no record of the kernel's log")
	}
	priority, err := strconv.Atoi(fields[0])
	if err != nil || priority < 0 {
		return Record{}, errors.New("no priority")
	}
	sequence, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return Record{}, errors.New("no sequence number")
	}
	micros, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || micros < 0 {
		return Record{}, errors.New("no time")
	}
	text, _, _ = strings.Cut(text, "\n")
	return Record{
		Priority: priority,
		Sequence: sequence,
		Since:    time.Duration(micros) * time.Microsecond,
		Text:     printable(unescape(text)),
	}, nil
}

// unescape undoes the kernel's `\xNN` for bytes that are no printable ASCII.
func unescape(text string) string {
	if !strings.Contains(text, `\x`) {
		return text
	}
	var out strings.Builder
	for at := 0; at < len(text); at++ {
		if at+3 < len(text) && text[at] == '\\' && text[at+1] == 'x' {
			if value, err := strconv.ParseUint(text[at+2:at+4], 16, 8); err == nil {
				out.WriteByte(byte(value))
				at += 3
				continue
			}
		}
		out.WriteByte(text[at])
	}
	return out.String()
}

// printable keeps one message on one line and away from the reader's terminal.
func printable(text string) string {
	return strings.Map(func(char rune) rune {
		if char < ' ' && char != '\t' || char >= 0x7f && char < 0xa0 {
			return '?'
		}
		return char
	}, strings.TrimRight(text, "\n\x00"))
}

// ParseSyslog reads what `syslog(3)` writes to /dev/log: `<PRIORITY>Mmm dd hh:mm:ss TAG: TEXT`.
func ParseSyslog(datagram string, now time.Time) Record {
	record := Record{Priority: 13, Time: now, Text: datagram}
	if rest := strings.TrimPrefix(datagram, "<"); rest != datagram {
		number, text, found := strings.Cut(rest, ">")
		if priority, err := strconv.Atoi(number); found && err == nil && priority >= 0 && priority < 192 {
			record.Priority, record.Text = priority, text
		}
	}
	// The sender's own time has no year and perhaps another zone: ours counts.
	if len(record.Text) > 16 {
		if _, err := time.Parse(time.Stamp, record.Text[:15]); err == nil && record.Text[15] == ' ' {
			record.Text = record.Text[16:]
		}
	}
	record.Text = printable(record.Text)
	return record
}

// Line is a record as it stands in the log file.
func (record Record) Line(booted time.Time, host string) string {
	if record.Time.IsZero() {
		at := booted.Add(record.Since)
		return at.Format(time.Stamp) + " " + host + " kernel: [" + seconds(record.Since) + "] " + record.Text + "\n"
	}
	return record.Time.Format(time.Stamp) + " " + host + " " + record.Text + "\n"
}

func seconds(since time.Duration) string {
	text := strconv.FormatFloat(since.Seconds(), 'f', 6, 64)
	return strings.Repeat(" ", max(0, 12-len(text))) + text
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}
