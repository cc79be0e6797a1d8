// Package wire is the syntax of HTTP/1 messages (RFC 9112, RFC 9110 section 5):
// which bytes may stand where, how a head is cut into lines and fields, how a
// chunked body is read and written. It is shared by the server engine and by the
// upstream client, so that both refuse the same things.
//
// The grammar is stricter than the RFCs' advice for lenient recipients: whatever
// two parsers are known to read differently is an *Error, never repaired. Lines end
// in CRLF, names are tokens directly followed by a colon, a line never begins with
// white space, values hold no control characters.
//
// Nothing here blocks but a Reader's source, and nothing is safe for concurrent use
// unless it says so.
package wire
