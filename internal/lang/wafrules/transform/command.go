package transform

// cmdLineSet holds the bytes that make CMD_LINE do something.
const cmdLineSet = "\\\"'^,;/( \t\n\v\f\rABCDEFGHIJKLMNOPQRSTUVWXYZ"

// cmdLine undoes the ways to write a command that shells read alike: quotes, backslashes
// and carets vanish, commas and semicolons count as white space, runs of it collapse and
// go before "/" and "(", letters become lower case.
func cmdLine(dst []byte, src string) []byte {
	start := len(dst)
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch {
		case c == '\\' || c == '"' || c == '\'' || c == '^':
		case isSpace(c) || c == ',' || c == ';':
			if len(dst) == start || dst[len(dst)-1] != ' ' {
				dst = append(dst, ' ')
			}
		case c == '/' || c == '(':
			if len(dst) > start && dst[len(dst)-1] == ' ' {
				dst = dst[:len(dst)-1]
			}
			dst = append(dst, c)
		default:
			dst = append(dst, lower(c))
		}
	}
	return dst
}

// cmdLineUnix keeps what separates commands: only quotes and backslashes vanish.
func cmdLineUnix(dst []byte, src string) []byte {
	start := len(dst)
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c == '\\' || c == '"' || c == '\'' {
			continue
		}
		dst = appendCollapsed(dst, start, lower(c))
	}
	return trimLastSpace(dst, start)
}

// cmdLineWin drops quotes, carets (with the line feed they escape) and backticks,
// and merges runs of backslashes.
func cmdLineWin(dst []byte, src string) []byte {
	start := len(dst)
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch {
		case c == '^' && i+1 < len(src) && src[i+1] == '\n':
			i++
		case c == '"' || c == '\'' || c == '^' || c == '`':
		case c == '\\' && len(dst) > start && dst[len(dst)-1] == '\\':
		default:
			dst = appendCollapsed(dst, start, lower(c))
		}
	}
	return trimLastSpace(dst, start)
}

// appendCollapsed appends c; white space becomes a space, and none is written at the
// start or after another.
func appendCollapsed(dst []byte, start int, c byte) []byte {
	if !isSpace(c) {
		return append(dst, c)
	}
	if len(dst) == start || dst[len(dst)-1] == ' ' {
		return dst
	}
	return append(dst, ' ')
}

func trimLastSpace(dst []byte, start int) []byte {
	if len(dst) > start && dst[len(dst)-1] == ' ' {
		return dst[:len(dst)-1]
	}
	return dst
}
