package transform

// hasPathWork reports whether a path may have something to normalise.
func hasPathWork(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			return true
		case '/':
			if i+1 < len(s) && (s[i+1] == '/' || s[i+1] == '.') {
				return true
			}
		case '.':
			if i == 0 {
				return true
			}
		}
	}
	return false
}

func normalizePath(dst []byte, src string) []byte    { return cleanPath(dst, src, false) }
func normalizePathWin(dst []byte, src string) []byte { return cleanPath(dst, src, true) }

// cleanPath merges slashes, drops "." and resolves ".." segments. Back-references
// at the start of a relative path stay; those at the root have nowhere to go and
// vanish. A slash at the end stays. With win, a backslash is a slash.
func cleanPath(dst []byte, src string, win bool) []byte {
	slash := func(c byte) bool { return c == '/' || win && c == '\\' }
	rooted := src != "" && slash(src[0])
	if rooted {
		dst = append(dst, '/')
	}
	floor := len(dst) // what ".." cannot remove: the root, leading back-references
	for i := 0; i < len(src); {
		for i < len(src) && slash(src[i]) {
			i++
		}
		j := i
		for j < len(src) && !slash(src[j]) {
			j++
		}
		segment, closed := src[i:j], j < len(src)
		i = j
		switch {
		case segment == "" || segment == ".":
			continue
		case segment == ".." && len(dst) > floor:
			dst = dst[:lastSegment(dst, floor)]
			continue
		case segment == ".." && rooted:
			continue
		}
		dst = append(dst, segment...)
		if closed {
			dst = append(dst, '/')
		}
		if segment == ".." {
			floor = len(dst)
		}
	}
	return dst
}

// lastSegment returns where the last segment of p (which may end in a slash) begins.
func lastSegment(p []byte, floor int) int {
	i := len(p)
	if i > floor && p[i-1] == '/' {
		i--
	}
	for i > floor && p[i-1] != '/' {
		i--
	}
	return i
}
