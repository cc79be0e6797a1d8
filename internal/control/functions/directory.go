package functions

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// A directory is what calls need of functions, in memory.
type directory struct {
	loading sync.Mutex // orders loads and reloads
	after   int64      // revision up to which it follows the store; guarded by loading

	mu      sync.RWMutex
	entries map[store.Key]*entry
	urls    map[urlKey]*URL
}

// put makes e what is known of a function; nil when it is gone. The caller holds d.mu.
func (d *directory) put(k store.Key, e *entry) {
	if old := d.entries[k]; old != nil {
		for _, u := range old.urls() {
			delete(d.urls, urlKey{u.Region, u.ID})
		}
	}
	if e == nil {
		delete(d.entries, k)
		return
	}
	d.entries[k] = e
	for _, u := range e.urls() {
		d.urls[urlKey{u.Region, u.ID}] = u
	}
}

// An entry is a function as calls see it. It is not modified, but for what is remembered.
type entry struct {
	key      store.Key
	fn       model.Function
	policies map[string]*iampolicy.Policy
	runnable sync.Map // calledAs to *runtime.Function, whose code is laid out
}

// calledAs is a version and the qualifier that led to it.
type calledAs struct{ version, qualifier string }

// load replaces the directory by what the store has.
func (f *Functions) load(ctx context.Context) error {
	f.dir.loading.Lock()
	defer f.dir.loading.Unlock()
	fresh := make(map[store.Key]*entry)
	err := f.Store.View(ctx, func(tx *store.Tx) error {
		clear(fresh)
		f.dir.after = tx.Revision()
		for it, err := range functions.All(tx) {
			if err != nil {
				return err
			}
			fresh[it.Key] = f.entry(it.Key, it.Value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	f.dir.entries, f.dir.urls = make(map[store.Key]*entry, len(fresh)), make(map[urlKey]*URL)
	for k, e := range fresh {
		f.dir.put(k, e)
	}
	return nil
}

func (f *Functions) entry(k store.Key, fn model.Function) *entry {
	e := &entry{key: k, fn: fn, policies: make(map[string]*iampolicy.Policy)}
	for q, p := range fn.Policies {
		parsed, err := iampolicy.Parse(policyText(p), iampolicy.Resource)
		if err != nil {
			f.Log.Error("a function's policy cannot be read: it allows nothing", "function", k.String(), "qualifier", q, "error", err)
			continue
		}
		e.policies[q] = parsed
	}
	return e
}

// reload reads functions again that have changed. Processes of versions that are gone end.
func (f *Functions) reload(ctx context.Context, keys ...store.Key) error {
	f.dir.loading.Lock()
	defer f.dir.loading.Unlock()
	fresh := make(map[store.Key]*entry)
	err := f.Store.View(ctx, func(tx *store.Tx) error {
		clear(fresh)
		for _, k := range keys {
			fn, err := functions.Get(tx, k.Scope(), k.ID)
			if errors.Is(err, store.ErrNotFound) {
				fresh[k] = nil
				continue
			}
			if err != nil {
				return err
			}
			fresh[k] = f.entry(k, fn)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var gone []string
	f.dir.mu.Lock()
	for k, e := range fresh {
		gone = append(gone, outdated(f.dir.entries[k], e)...)
		f.dir.put(k, e)
	}
	f.dir.mu.Unlock()
	for _, key := range gone {
		f.Runner.Forget(key)
	}
	return nil
}

// outdated lists the keys of versions that are no longer called.
func outdated(old, now *entry) (keys []string) {
	if old == nil {
		return nil
	}
	used := make(map[string]bool)
	if now != nil {
		for _, v := range now.versions() {
			used[now.runKey(v)] = true
		}
	}
	for _, v := range old.versions() {
		if k := old.runKey(v); !used[k] {
			keys = append(keys, k)
		}
	}
	return keys
}

func (e *entry) versions() []*model.FunctionVersion {
	list := []*model.FunctionVersion{&e.fn.Latest}
	for i := range e.fn.Versions {
		list = append(list, &e.fn.Versions[i])
	}
	return list
}

// neededFolders are the names of the folders with code that functions may be called with.
func (f *Functions) neededFolders() map[string]bool {
	f.dir.mu.RLock()
	defer f.dir.mu.RUnlock()
	needed := make(map[string]bool)
	for _, e := range f.dir.entries {
		for _, v := range e.versions() {
			_, code := folderName([]part{{e.key, v.CodeSHA256}})
			_, opt := folderName(layerParts(e.key.Scope(), v.Layers))
			needed[code], needed[opt] = true, true
		}
	}
	return needed
}

// runKey names the processes of a version: any change of it makes another one.
func (e *entry) runKey(v *model.FunctionVersion) string {
	return e.key.Account + "/" + e.key.Region + "/" + e.fn.Name + "/" + v.Version + "/" + v.RevisionID
}

// find returns a function by its place and name, nil when there is none.
func (f *Functions) find(sc store.Scope, name string) *entry {
	f.dir.mu.RLock()
	defer f.dir.mu.RUnlock()
	return f.dir.entries[functions.Key(sc, name)]
}

// follow takes in what other nodes change.
func (f *Functions) follow(ctx context.Context) error {
	for {
		f.dir.loading.Lock()
		after := f.dir.after
		f.dir.loading.Unlock()
		for commit, err := range f.Store.Watch(ctx, after) {
			if err != nil {
				if ctx.Err() != nil {
					return nil
				}
				f.Log.Warn("functions: reading all again", "error", err)
				break
			}
			var keys []store.Key
			for _, c := range commit.Changes {
				if c.Key.Kind == model.KindFunction {
					keys = append(keys, c.Key)
				}
			}
			if len(keys) == 0 {
				continue
			}
			if err := f.reload(ctx, keys...); err != nil {
				f.Log.Error("functions: a change was not taken in", "error", err)
				break
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := f.load(ctx); err != nil {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Second):
			}
		}
	}
}

// ResourcePolicy returns the policy of the function, version, alias or layer version with an
// ARN, nil when it has none, and the account that owns it.
func (f *Functions) ResourcePolicy(ctx context.Context, arn string) (*iampolicy.Policy, string, error) {
	if sc, name, number, ok := splitLayerARN(arn); ok {
		p, err := f.layerPolicy(ctx, sc, name, number)
		return p, sc.Account, err
	}
	sc, name, qualifier, ok := splitARN(arn)
	if !ok {
		return nil, "", nil
	}
	e := f.find(sc, name)
	if e == nil {
		return nil, sc.Account, nil
	}
	return e.policies[qualifier], sc.Account, nil
}

// splitLayerARN reads the ARN of a layer's version.
func splitLayerARN(arn string) (sc store.Scope, name string, number int64, ok bool) {
	p := strings.Split(arn, ":")
	if len(p) != 8 || p[0] != "arn" || p[2] != "lambda" || p[5] != "layer" {
		return sc, "", 0, false
	}
	number, err := strconv.ParseInt(p[7], 10, 64)
	return store.Scope{Account: p[4], Region: p[3]}, p[6], number, err == nil
}

// splitARN reads a function's ARN, with a qualifier or without.
func splitARN(arn string) (sc store.Scope, name, qualifier string, ok bool) {
	p := strings.Split(arn, ":")
	if len(p) < 7 || len(p) > 8 || p[0] != "arn" || p[2] != "lambda" || p[5] != "function" {
		return sc, "", "", false
	}
	if len(p) == 8 {
		qualifier = p[7]
	}
	return store.Scope{Account: p[4], Region: p[3]}, p[6], qualifier, true
}
