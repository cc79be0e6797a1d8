package scalar

import (
	"reflect"
	"testing"
	"time"

	"gatehouse/internal/awsapi/schema"
)

func TestTextIsInverseOfSet(t *testing.T) {
	for _, c := range []struct {
		kind   schema.Kind
		text   string
		want   any
		format schema.TimeFormat
		again  string // "" when it is text
	}{
		{kind: schema.String, text: " a\x00 ", want: " a\x00 "},
		{kind: schema.Boolean, text: "true", want: true},
		{kind: schema.Boolean, text: "false", want: false},
		{kind: schema.Integer, text: "-2147483648", want: int32(-2147483648)},
		{kind: schema.Long, text: "9223372036854775807", want: int64(9223372036854775807)},
		{kind: schema.Double, text: "10000.0", want: 10000.0},
		{kind: schema.Double, text: "5.000000", want: 5.0, again: "5.0"},
		{kind: schema.Double, text: "1e300", want: 1e300, again: "1E+300"},
		{kind: schema.Float, text: "0.1", want: float32(0.1)},
		{kind: schema.Blob, text: "AP8=", want: []byte{0, 255}},
		{kind: schema.Timestamp, text: "2023-11-14T22:13:20Z", want: time.Unix(1700000000, 0).UTC()},
		{kind: schema.Timestamp, text: "2023-11-14T22:13:20.000Z", want: time.Unix(1700000000, 0).UTC(), format: schema.ISO8601Millis},
		{kind: schema.Timestamp, text: "2023-11-14T22:13:20.123Z", want: time.Unix(1700000000, 123e6).UTC()},
		{kind: schema.Timestamp, text: "2023-11-14T23:13:20+01:00", want: time.Unix(1700000000, 0).UTC(), again: "2023-11-14T22:13:20Z"},
		{kind: schema.Timestamp, text: "Tue, 14 Nov 2023 22:13:20 GMT", want: time.Unix(1700000000, 0).UTC(), format: schema.HTTPDate},
		{kind: schema.Timestamp, text: "1700000000", want: time.Unix(1700000000, 0).UTC(), format: schema.EpochSeconds},
		{kind: schema.Timestamp, text: "1700000000.123", want: time.Unix(1700000000, 123e6).UTC(), format: schema.EpochSeconds},
	} {
		sh := &schema.Shape{Name: "S", Kind: c.kind}
		v := reflect.New(reflect.TypeOf(c.want)).Elem()
		if err := Set(v, sh, c.text); err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if !reflect.DeepEqual(v.Interface(), c.want) {
			t.Errorf("%q: got %v, want %v", c.text, v, c.want)
		}
		if c.again == "" {
			c.again = c.text
		}
		if got := Text(v, sh, c.format); got != c.again {
			t.Errorf("%q is written as %q, want %q", c.text, got, c.again)
		}
	}
}

func TestSetRefuses(t *testing.T) {
	for _, c := range []struct {
		kind schema.Kind
		text string
		into any
	}{
		{schema.Boolean, "True", false}, {schema.Boolean, "1", false}, {schema.Boolean, "", false},
		{schema.Integer, "2147483648", int32(0)}, {schema.Integer, "1.0", int32(0)}, {schema.Integer, "", int32(0)},
		{schema.Double, "NaN", 0.0}, {schema.Double, "-Inf", 0.0}, {schema.Double, "x", 0.0},
		{schema.Blob, "AP8", []byte(nil)},
		{schema.Timestamp, "yesterday", time.Time{}}, {schema.Timestamp, "1e300", time.Time{}}, {schema.Timestamp, "NaN", time.Time{}},
		{schema.Timestamp, "-100000000000", time.Time{}},
		{schema.Structure, "x", struct{}{}},
	} {
		v := reflect.New(reflect.TypeOf(c.into)).Elem()
		if err := Set(v, &schema.Shape{Name: "S", Kind: c.kind}, c.text); err == nil {
			t.Errorf("%q is taken as %v", c.text, v)
		}
	}
}
