package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// EnvPrefix starts the name of every environment variable of the configuration.
const EnvPrefix = "GATEHOUSE_"

// maxFile is the largest configuration file that is read, in bytes.
const maxFile = 1 << 20

// Flags holds the values of command-line flags until Load.
type Flags struct {
	File string // --config
	set  map[string]string
}

// Register defines the flags of the configuration on fs.
func (f *Flags) Register(fs *flag.FlagSet) {
	f.set = map[string]string{}
	fs.StringVar(&f.File, "config", "", "configuration `file` (YAML)")
	defaults := reflect.ValueOf(Defaults()).Elem()
	for _, field := range fields() {
		if field.flag == "" {
			continue
		}
		usage := field.usage
		if v := defaults.FieldByIndex(field.index); !v.IsZero() && !field.boolean {
			usage += fmt.Sprintf(" (default %s)", strings.Trim(fmt.Sprint(v), "[]"))
		}
		store := func(v string) error { f.set[field.flag] = v; return nil }
		if field.boolean {
			fs.BoolFunc(field.flag, usage, store)
		} else {
			fs.Func(field.flag, usage, store)
		}
	}
}

// Load reads the file that flags name, then the environment, then flags, over the
// defaults, and checks the result. environ has the form of os.Environ. The error
// joins every problem found.
func Load(flags *Flags, environ []string) (*Config, error) {
	c := Defaults()
	var problems []error
	if flags.File != "" {
		problems = append(problems, c.readFile(flags.File))
	}
	problems = append(problems, c.readEnv(environ), c.readFlags(flags.set))
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Config) readFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fmt.Errorf("configuration: read %s: %w", name, err)
	}
	if len(data) > maxFile {
		return fmt.Errorf("configuration: %s is larger than %d bytes", name, maxFile)
	}
	return c.parse(name, data)
}

// parse decodes one YAML document; unknown keys are errors with their line.
func (c *Config) parse(name string, data []byte) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	err := dec.Decode(c)
	var typed *yaml.TypeError
	switch {
	case errors.Is(err, io.EOF):
		return nil // an empty file changes nothing
	case errors.As(err, &typed):
		var all []error
		for _, e := range typed.Errors {
			all = append(all, fmt.Errorf("configuration: %s: %s", name, e))
		}
		return errors.Join(all...)
	case err != nil:
		return fmt.Errorf("configuration: %s: %w", name, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("configuration: %s: more than one YAML document", name)
	}
	return nil
}

func (c *Config) readEnv(environ []string) error {
	values := map[string]string{}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, EnvPrefix) {
			values[strings.TrimPrefix(name, EnvPrefix)] = value
		}
	}
	var problems []error
	for _, f := range fields() {
		if v, ok := values[f.env]; ok && f.env != "" && v != "" {
			if err := f.assign(c, v); err != nil {
				problems = append(problems, fmt.Errorf("environment %s%s: %w", EnvPrefix, f.env, err))
			}
		}
	}
	return errors.Join(problems...)
}

func (c *Config) readFlags(set map[string]string) error {
	var problems []error
	for _, f := range fields() {
		if v, ok := set[f.flag]; ok && f.flag != "" {
			if err := f.assign(c, v); err != nil {
				problems = append(problems, fmt.Errorf("flag --%s: %w", f.flag, err))
			}
		}
	}
	return errors.Join(problems...)
}

// A field is one leaf of Config that the environment or a flag can set.
type field struct {
	index            []int
	env, flag, usage string
	boolean          bool
}

// fields lists the leaves of Config that have an env or flag tag.
func fields() []field {
	var out []field
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		out = append(out, leaves(f, nil)...)
	}
	return out
}

func leaves(f reflect.StructField, path []int) []field {
	path = append(append([]int{}, path...), f.Index...)
	var out []field
	if f.Type.Kind() == reflect.Struct {
		for i := range f.Type.NumField() {
			out = append(out, leaves(f.Type.Field(i), path)...)
		}
		return out
	}
	env, fl := f.Tag.Get("env"), f.Tag.Get("flag")
	if env == "" && fl == "" {
		return nil
	}
	return []field{{path, env, fl, f.Tag.Get("usage"), f.Type.Kind() == reflect.Bool}}
}

func (f field) assign(c *Config, value string) error {
	v := reflect.ValueOf(c).Elem().FieldByIndex(f.index)
	switch v.Kind() {
	case reflect.String:
		v.SetString(value)
	case reflect.Bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("found %q, want true or false", value)
		}
		v.SetBool(b)
	case reflect.Slice:
		var list []string
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		v.Set(reflect.ValueOf(list))
	default:
		panic("config: a field of kind " + v.Kind().String() + " has an env or flag tag") // the struct's promise
	}
	return nil
}
