package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// makeRoot gives the process a root file system of its own that has what spec says and
// nothing else of the host, and the id of the sandbox's user.
func makeRoot(spec *sandboxSpec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	mounts := slices.Clone(spec.Mounts)
	for _, dev := range []string{"null", "zero", "full", "random", "urandom"} {
		mounts = append(mounts, mount{From: "/dev/" + dev, To: "/dev/" + dev, Optional: true})
	}
	// What is made visible is opened with the server's id, since its folders are closed
	// to others, and everything else is done with the sandbox's.
	sources := make([]source, 0, len(mounts))
	for _, m := range mounts {
		src, err := open(m)
		if err != nil {
			return fmt.Errorf("making %s visible: %w", m.To, err)
		}
		sources = append(sources, src)
	}
	rootFD, err := unix.Open(spec.Root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening %s: %w", spec.Root, err)
	}
	if err := becomeUser(); err != nil {
		return err
	}
	if err := mountRoot(rootFD); err != nil {
		return fmt.Errorf("mounting a root: %w", err)
	}
	const root = "."
	for _, dir := range []string{"proc", "tmp", "dev", "etc", "var/task", "var/runtime", "opt", "root"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("tmpfs", "tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("mode=1777,size=%d", spec.Storage)); err != nil {
		return fmt.Errorf("mounting /tmp: %w", err)
	}
	for _, src := range sources {
		if err := src.bind(root); err != nil {
			return fmt.Errorf("making %s visible: %w", src.To, err)
		}
	}
	if err := unix.Mount("proc", "proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, f := range spec.Files {
		if err := writeIn(root, f); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, filepath.Join("dev", name)); err != nil {
			return err
		}
	}
	if err := pivot(); err != nil {
		return err
	}
	for _, name := range []string{"user", "mnt", "net", "pid"} {
		// Where this cannot be written, functions lack the privileges for namespaces anyway.
		os.WriteFile("/proc/sys/user/max_"+name+"_namespaces", []byte("0"), 0)
	}
	return nil
}

func fdPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// mountRoot mounts an empty file system on the folder that at is, and goes there. The
// sandbox's user may not walk to the folder, so this is done by descriptors alone.
func mountRoot(at int) error {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fs)
	for name, value := range map[string]string{"mode": "755", "size": "16m"} {
		if err := unix.FsconfigSetString(fs, name, value); err != nil {
			return err
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return err
	}
	m, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return err
	}
	defer unix.Close(m)
	if err := unix.MoveMount(m, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return err
	}
	return unix.Fchdir(m)
}

// source is a mount with its host side opened.
type source struct {
	mount
	fd   int    // -1: it is a link, or not there
	link string // what the link says
	dir  bool
}

func open(m mount) (source, error) {
	s := source{mount: m, fd: -1}
	if link, err := os.Readlink(m.From); err == nil {
		s.link = link // /lib may be one; it is made again
		return s, nil
	}
	fd, err := unix.Open(m.From, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		if m.Optional && errors.Is(err, unix.ENOENT) {
			return s, nil
		}
		return s, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return s, err
	}
	s.fd, s.dir = fd, st.Mode&unix.S_IFMT == unix.S_IFDIR
	return s, nil
}

// bind makes the source visible below root, read-only with all that is mounted below it.
func (s source) bind(root string) error {
	to := filepath.Join(root, s.To)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if s.link != "" {
		if err := os.Symlink(s.link, to); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		return nil
	}
	if s.fd < 0 {
		return nil
	}
	defer unix.Close(s.fd)
	if s.dir {
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
	} else {
		f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o444)
		if err != nil {
			return err
		}
		f.Close()
	}
	if err := unix.Mount(fdPath(s.fd), to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	if strings.HasPrefix(s.To, "/dev/") {
		attr.Attr_set = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC
	}
	return unix.MountSetattr(unix.AT_FDCWD, to, unix.AT_RECURSIVE, &attr)
}

func writeIn(root string, f file) error {
	path := filepath.Join(root, f.Path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, f.Data, os.FileMode(f.Mode)); err != nil {
		return err
	}
	return os.Chmod(path, os.FileMode(f.Mode))
}

// pivot makes the working folder the root and lets go of the old one.
func pivot() error {
	// Both names may be the same: the old root is then mounted over the new one
	// (pivot_root(2), notes).
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		return fmt.Errorf("making the root read-only: %w", err)
	}
	return nil
}

// loopbackUp switches the sandbox's own loopback on, its only network.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// becomeUser takes the id of the sandbox's user, which outside is nobody in particular.
func becomeUser() error {
	if err := syscall.Setgroups(nil); err != nil && !errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("leaving groups: %w", err)
	}
	if err := syscall.Setgid(0); err != nil {
		return fmt.Errorf("becoming the sandbox's group: %w", err)
	}
	if err := syscall.Setuid(0); err != nil {
		return fmt.Errorf("becoming the sandbox's user: %w", err)
	}
	// Changing the id took this away.
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
}
