package valkey

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/valkey-io/valkey-go"

	"gatehouse/internal/lang/wafrules/ratecount"
)

// boardScript pins up one node's sheet and answers the others'. Sheets that were not
// replaced for as long as they are kept are dropped.
//
// KEYS[1] the sheets of one name. ARGV: node, sheet, milliseconds to keep it.
// Answers node, age in milliseconds and sheet of every other node, one after the other.
const boardScript = `
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local keep = tonumber(ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d:', now) .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local out = {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if fields[i] ~= ARGV[1] then
    local colon = string.find(fields[i + 1], ':', 1, true)
    local age = math.max(0, now - tonumber(string.sub(fields[i + 1], 1, colon - 1)))
    if age > keep then
      redis.call('HDEL', KEYS[1], fields[i])
    else
      out[#out + 1] = fields[i]
      out[#out + 1] = string.format('%d', age)
      out[#out + 1] = string.sub(fields[i + 1], colon + 1)
    end
  end
end
return out
`

// A Board shows the sheets of nodes to each other: it is the ratecount.Board of a cluster. It
// is safe for concurrent use.
type Board struct{ server *Server }

// Board returns the board on the server.
func (s *Server) Board() *Board { return &Board{s} }

// maxSheets bounds the sheets of one round trip.
const maxSheets = 64

// Exchange implements ratecount.Board. Up to 64 sheets are one round trip.
func (b *Board) Exchange(ctx context.Context, node string, sheets []ratecount.Sheet) ([][]ratecount.Shown, error) {
	in, err := b.server.current(ctx)
	if err != nil {
		return nil, err
	}
	all := make([][]ratecount.Shown, 0, len(sheets))
	for len(sheets) > 0 {
		n := min(len(sheets), maxSheets)
		some, err := b.exchange(ctx, in, node, sheets[:n])
		if err != nil {
			b.server.forget(in)
			return nil, err
		}
		all, sheets = append(all, some...), sheets[n:]
	}
	return all, nil
}

func (b *Board) exchange(ctx context.Context, in *incarnation, node string, sheets []ratecount.Sheet) ([][]ratecount.Shown, error) {
	shown := make([][]ratecount.Shown, len(sheets))
	cmds := make(valkey.Commands, len(sheets))
	for i, s := range sheets {
		// EVAL: an emptied server needs no other treatment, and the script is short.
		cmds[i] = in.client.B().Eval().Script(boardScript).Numkeys(1).Key(b.server.prefix+":sheets:"+s.Name).
			Arg(node, string(s.Text), integer(s.Keep.Milliseconds())).Build()
	}
	for i, r := range in.client.DoMulti(ctx, cmds...) {
		fields, err := r.AsStrSlice()
		if err == nil {
			shown[i], err = readShown(fields)
		}
		if err != nil {
			return nil, fmt.Errorf("sheet %q: %w", sheets[i].Name, err)
		}
	}
	return shown, nil
}

func readShown(fields []string) ([]ratecount.Shown, error) {
	if len(fields)%3 != 0 {
		return nil, fmt.Errorf("answer has %d fields, want three for each node", len(fields))
	}
	var list []ratecount.Shown
	for ; len(fields) > 0; fields = fields[3:] {
		age, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil || age < 0 {
			return nil, errors.New("answer has an age that is not a number")
		}
		list = append(list, ratecount.Shown{Node: fields[0], Age: time.Duration(age) * time.Millisecond, Text: []byte(fields[2])})
	}
	return list, nil
}
