package filestream

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// input is the file that is read. What is no regular file, such as a pipe or a terminal,
// is only read when it has something, because a read that waits cannot be ended.
type input struct {
	file    *os.File
	conn    syscall.RawConn
	regular bool
}

// openInput opens a file; it does not wait for the other end of a pipe.
func openInput(name string) (*input, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	in, err := inputOf(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return in, nil
}

func inputOf(f *os.File) (*input, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: f.Name(), Err: unix.EISDIR}
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &input{f, conn, info.Mode().IsRegular()}, nil
}

// readiness is how often an idle pipe looks whether the task is to stop.
const readiness = 100 * time.Millisecond

// ready waits until there is something to read or the end of it, at most for the given
// time or until ctx ends. Regular files are always ready.
func (in *input) ready(ctx context.Context, wait time.Duration) (bool, error) {
	if in.regular {
		return true, nil
	}
	for until := time.Now().Add(wait); ; {
		slice := max(min(time.Until(until), readiness), 0)
		var n int
		err := in.control(func(fd int) (err error) {
			n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(slice.Milliseconds()))
			return err
		})
		switch {
		case n > 0:
			return true, nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return false, err
		case ctx.Err() != nil || !time.Now().Before(until):
			return false, nil //nolint:nilerr // the end of ctx is no error
		}
	}
}

// read returns what is there, 0 at the end of it.
func (in *input) read(p []byte) (n int, err error) {
	if in.regular {
		if n, err = in.file.Read(p); errors.Is(err, io.EOF) {
			err = nil
		}
		return n, err
	}
	err = in.control(func(fd int) (err error) {
		n, err = unix.Read(fd, p)
		return err
	})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return max(n, 0), err
}

// control calls f with the descriptor, whose mode is left as it is: the standard input
// may be shared with other processes.
func (in *input) control(f func(fd int) error) error {
	var err error
	if cerr := in.conn.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

// size returns the size of a regular file.
func (in *input) size() (int64, error) {
	info, err := in.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
