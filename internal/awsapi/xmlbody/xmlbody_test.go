package xmlbody

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/schema"
)

func TestDecode(t *testing.T) {
	const ns = `xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`
	got := new(s3.AccessControlPolicy)
	doc := `<?xml version="1.0"?><!-- c --><AccessControlPolicy ` + ns + `>
		<Owner><ID>o</ID></Owner>
		<AccessControlList>
			<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID> i<![CDATA[<d>]]>&#x41; </ID></Grantee><Permission>READ</Permission></Grant>
			<Grant/>
		</AccessControlList><Unknown><a/></Unknown>
	</AccessControlPolicy>`
	if err := Decode([]byte(doc), "AccessControlPolicy", s3.Service().Shape("AccessControlPolicy"), got); err != nil {
		t.Fatal(err)
	}
	want := &s3.AccessControlPolicy{Owner: &s3.Owner{ID: new("o")}, Grants: []s3.Grant{
		{Grantee: &s3.Grantee{Type: new(s3.TypeCanonicalUser), ID: new(" i<d>A ")}, Permission: new(s3.PermissionRead)}, {}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	deleting := new(s3.Delete)
	if err := Decode([]byte(`<Delete><Object><Key>a</Key><LastModifiedTime>Tue, 14 Nov 2023 22:13:20 GMT</LastModifiedTime></Object><Quiet> true </Quiet><Object><Key/></Object></Delete>`), "Delete", s3.Service().Shape("Delete"), deleting); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1700000000, 0).UTC()
	if d := cmp.Diff(&s3.Delete{Quiet: new(true), Objects: []s3.ObjectIdentifier{{Key: new("a"), LastModifiedTime: &at}, {Key: new("")}}}, deleting); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{``, "no root element"},
		{`<Delete>`, "EOF"},
		{`<Other/>`, "the root element is Other, want Delete"},
		{`<Delete/><Delete/>`, "more than one root element"},
		{`<Delete/>x`, "text outside the root element"},
		{`<!DOCTYPE d><Delete/>`, "document type declarations are not allowed"},
		{`<Delete>&xxe;</Delete>`, "entity"},
		{`<Delete><Quiet>yes</Quiet></Delete>`, `Quiet: "yes" is not a boolean`},
		{`<Delete><Quiet>true</Quiet><Quiet>true</Quiet></Delete>`, "more than one Quiet"},
		{strings.Repeat("<Delete>", 65) + strings.Repeat("</Delete>", 65), "more than 64 nested elements"},
	} {
		err := Decode([]byte(c.doc), "Delete", s3.Service().Shape("Delete"), new(s3.Delete))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40s: %v, want %s", c.doc, err, c.want)
		}
	}
}

func TestAppend(t *testing.T) {
	out := &s3.GetBucketAclOutput{Grants: []s3.Grant{{Grantee: &s3.Grantee{Type: new(s3.TypeGroup), URI: new("u")}}}}
	want := `<R xmlns="n"><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>u</URI></Grantee></Grant></AccessControlList></R>`
	if got := string(Append(nil, "R", "n", s3.Service().Operation("GetBucketAcl").Out, out)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	summary := &iam.GetAccountSummaryOutput{SummaryMap: map[string]int32{"b": 2, "a": 1}}
	want = `<R><SummaryMap><entry><key>a</key><value>1</value></entry><entry><key>b</key><value>2</value></entry></SummaryMap></R>`
	if got := string(Append(nil, "R", "", iam.Service().Operation("GetAccountSummary").Out, summary)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for text, want := range map[string]string{"a": "a", `<&>"`: "&lt;&amp;&gt;&quot;", "\x01\n\r": "&#x1;&#xa;&#xd;", "\xff": "\ufffd", "ü\ufffe": "ü&#xfffe;"} {
		if got := string(AppendText(nil, text)); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// What is decoded is written so that it decodes to the same.
func FuzzDecode(f *testing.F) {
	samples := []struct {
		shape, root, seed string
		typ               reflect.Type
	}{
		{"Delete", "Delete", `<Delete><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>`, reflect.TypeFor[s3.Delete]()},
		{"CompletedMultipartUpload", "CompleteMultipartUpload", `<CompleteMultipartUpload><Part><ETag>"e"</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`, reflect.TypeFor[s3.CompletedMultipartUpload]()},
		{"AccessControlPolicy", "AccessControlPolicy", `<AccessControlPolicy><AccessControlList><Grant><Grantee xsi:type="Group"><URI>&#13;</URI></Grantee></Grant></AccessControlList></AccessControlPolicy>`, reflect.TypeFor[s3.AccessControlPolicy]()},
		{"Tagging", "Tagging", `<Tagging><TagSet><Tag><Key>a</Key><Value> b </Value></Tag></TagSet></Tagging>`, reflect.TypeFor[s3.Tagging]()},
	}
	for i, s := range samples {
		f.Add(i, []byte(s.seed))
	}
	f.Fuzz(func(t *testing.T, i int, doc []byte) {
		s := samples[uint(i)%uint(len(samples))]
		sh := s3.Service().Shape(s.shape)
		first, second := reflect.New(s.typ).Interface(), reflect.New(s.typ).Interface()
		if err := Decode(doc, s.root, sh, first); err != nil {
			return
		}
		text := Append(nil, s.root, "", sh, first)
		if err := Decode(text, s.root, sh, second); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if d := cmp.Diff(first, second); d != "" {
			t.Fatalf("%s (-first +second):\n%s", text, d)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	at := time.Unix(1700000000, 0)
	out := &s3.ListObjectsV2Output{Name: new("b")}
	for range 1000 {
		out.Contents = append(out.Contents, s3.Object{Key: new("some/key/that/is/usual"), LastModified: &at, ETag: new(`"0123456789abcdef0123456789abcdef"`), Size: new(int64(12345)), StorageClass: new(s3.ObjectStorageClassStandard)})
	}
	op := s3.Service().Operation("ListObjectsV2")
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], op.OutputRoot, op.Service.XMLNamespace, op.Out, out)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecode(b *testing.B) {
	doc := []byte("<CompleteMultipartUpload>" + strings.Repeat(`<Part><ETag>"0123456789abcdef"</ETag><PartNumber>1</PartNumber></Part>`, 100) + "</CompleteMultipartUpload>")
	var sh *schema.Shape = s3.Service().Shape("CompletedMultipartUpload")
	b.ReportAllocs()
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if err := Decode(doc, "CompleteMultipartUpload", sh, new(s3.CompletedMultipartUpload)); err != nil {
			b.Fatal(err)
		}
	}
}

// bag has what no message of the services in use has: flattened maps, and maps in inputs.
type bag struct {
	Labels map[string]int32
	Marks  map[string]string
}

func TestMaps(t *testing.T) {
	sh := (&schema.Service{Name: "bags", Protocol: schema.RESTXML, Shapes: []schema.Shape{
		{Name: "Bag", Kind: schema.Structure, Members: []schema.Member{{Name: "Labels", Type: "Labels"}, {Name: "Marks", Wire: "Mark", Type: "Marks", Flattened: true}}},
		{Name: "Labels", Kind: schema.Map, Key: &schema.Member{Type: "Name"}, Elem: &schema.Member{Type: "Number"}},
		{Name: "Marks", Kind: schema.Map, Key: &schema.Member{Type: "Name", Wire: "Name"}, Elem: &schema.Member{Type: "Name", Wire: "Text"}},
		{Name: "Name", Kind: schema.String}, {Name: "Number", Kind: schema.Integer},
	}}).Link().Shape("Bag")
	in := &bag{Labels: map[string]int32{"b": 2, "a": 1}, Marks: map[string]string{"x": "y", "z": ""}}
	want := `<Bag><Labels><entry><key>a</key><value>1</value></entry><entry><key>b</key><value>2</value></entry></Labels>` +
		`<Mark><Name>x</Name><Text>y</Text></Mark><Mark><Name>z</Name><Text></Text></Mark></Bag>`
	doc := Append(nil, "Bag", "", sh, in)
	if string(doc) != want {
		t.Errorf("got  %s\nwant %s", doc, want)
	}
	got := new(bag)
	if err := Decode(doc, "Bag", sh, got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(in, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, doc := range []string{`<Bag><Labels><entry><key>a</key></entry></Labels></Bag>`, `<Bag><Labels><entry><key>a</key><value>x</value></entry></Labels></Bag>`,
		`<Bag><Mark><Name>x</Name><Name>x</Name><Text>y</Text></Mark></Bag>`} {
		if err := Decode([]byte(doc), "Bag", sh, new(bag)); err == nil {
			t.Errorf("%s: no error", doc)
		}
	}
}
