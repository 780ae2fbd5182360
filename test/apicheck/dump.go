// Turning type-checked packages into feature lines, in which each type has one spelling.

package main

import (
	"fmt"
	"go/constant"
	"go/types"
	"sort"
	"strconv"
	"strings"
)

// A dumper turns type-checked packages into feature lines.
type dumper struct {
	modules []string // paths of the modules being dumped
	// expand makes an alias bring along the definition of the type it
	// stands for, under the alias's own name. The have side of a check
	// wants that; a dump does not.
	expand bool
	// publicName gives the importable name of a type that is declared in
	// an internal package and re-exported by alias.
	publicName map[*types.TypeName]string
	aliases    map[string]string // "path.Name" of a non-generic alias -> type expression
	set        map[string]bool
	notes      map[string]bool
}

func newDumper(l *loaded, expand bool) *dumper {
	d := &dumper{
		modules:    l.modules,
		expand:     expand,
		publicName: map[*types.TypeName]string{},
		aliases:    map[string]string{},
		set:        map[string]bool{},
		notes:      map[string]bool{},
	}
	// First pass: which hidden types have a name that users can write? The
	// alphabetically first such name stands for the type everywhere.
	for _, p := range l.pkgs {
		scope := p.Scope()
		for _, name := range scope.Names() {
			tn, ok := scope.Lookup(name).(*types.TypeName)
			if !ok || !tn.Exported() || !tn.IsAlias() {
				continue
			}
			n, ok := types.Unalias(tn.Type()).(*types.Named)
			if !ok || n.TypeArgs().Len() > 0 || !d.hidden(n.Obj()) {
				continue
			}
			full := p.Path() + "." + name
			if old, ok := d.publicName[n.Obj()]; !ok || full < old {
				d.publicName[n.Obj()] = full
			}
		}
	}
	return d
}

// hidden reports whether users cannot write the name of the declared type.
func (d *dumper) hidden(tn *types.TypeName) bool {
	if tn.Pkg() == nil {
		return false
	}
	return isInternal(tn.Pkg().Path()) || !tn.Exported()
}

func (d *dumper) emit(p *types.Package, format string, args ...any) {
	d.set["pkg "+p.Path()+", "+fmt.Sprintf(format, args...)] = true
}

func (d *dumper) lines() []string { return sortedKeys(d.set) }

func (d *dumper) warnings() []string { return sortedKeys(d.notes) }

func (d *dumper) aliasMap() map[string]string { return d.aliases }

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

func (d *dumper) pkg(p *types.Package) {
	d.emit(p, "package %s", p.Name())
	scope := p.Scope()
	for _, name := range scope.Names() {
		obj := scope.Lookup(name)
		if !obj.Exported() {
			continue
		}
		switch obj := obj.(type) {
		case *types.Const:
			d.emit(p, "const %s %s = %s", name, d.typ(obj.Type(), nil), constText(obj.Val()))
		case *types.Var:
			d.emit(p, "var %s %s", name, d.typ(obj.Type(), nil))
		case *types.Func:
			sig := obj.Type().(*types.Signature)
			tps := typeParamIndex(sig.TypeParams())
			d.emit(p, "func %s%s%s", name, d.typeParams(sig.TypeParams(), tps), d.signature(sig, tps))
		case *types.TypeName:
			d.typeName(p, obj)
		}
	}
}

func (d *dumper) typeName(p *types.Package, tn *types.TypeName) {
	name := tn.Name()
	full := p.Path() + "." + name
	if !tn.IsAlias() {
		d.typeDef(p, name, tn.Type().(*types.Named), nil)
		return
	}
	rhs := types.Unalias(tn.Type())
	var tparams *types.TypeParamList
	if a, ok := tn.Type().(*types.Alias); ok {
		tparams = a.TypeParams()
		rhs = types.Unalias(a.Rhs())
	}
	tps := typeParamIndex(tparams)
	named, _ := rhs.(*types.Named)
	// An alias that gives a hidden type its public name counts as the
	// place where that type is declared.
	if named != nil && d.publicName[named.Obj()] == full {
		d.typeDef(p, name, named, nil)
		return
	}
	d.emit(p, "type %s%s = %s", name, d.typeParams(tparams, tps), d.typ(rhs, tps))
	if tparams.Len() == 0 {
		d.aliases[full] = d.typ(rhs, nil)
	}
	if !d.expand {
		return
	}
	if named != nil {
		d.typeDef(p, name, named, tps)
	} else {
		d.underlying(p, name, "", rhs, tps)
	}
}

// typeDef writes a declared type: its head line, its fields or interface
// methods, and its method set. tps is nil except where named is the right
// side of a generic alias.
func (d *dumper) typeDef(p *types.Package, name string, named *types.Named, tps map[*types.TypeParam]int) {
	head := ""
	if named.TypeArgs().Len() == 0 && named.TypeParams().Len() > 0 {
		tps = typeParamIndex(named.TypeParams())
		head = d.typeParams(named.TypeParams(), tps)
	}
	d.underlying(p, name, head, named.Underlying(), tps)
	if types.IsInterface(named) {
		return
	}
	d.methods(p, name, named)
}

func (d *dumper) underlying(p *types.Package, name, tparams string, u types.Type, tps map[*types.TypeParam]int) {
	switch u := u.(type) {
	case *types.Struct:
		d.emit(p, "type %s%s struct", name, tparams)
		d.fields(p, name, u, tps, map[*types.Struct]bool{})
	case *types.Interface:
		var names []string
		sealed := false
		for i := 0; i < u.NumMethods(); i++ {
			m := u.Method(i)
			if !m.Exported() {
				sealed = true
				continue
			}
			names = append(names, m.Name())
			d.emit(p, "type %s interface, %s%s", name, m.Name(), d.signature(m.Type().(*types.Signature), tps))
		}
		sort.Strings(names)
		if c := d.constraint(u, tps); c != "" {
			names = append(names, c)
		}
		if sealed {
			names = append(names, unexportedMethods)
		}
		body := "{}"
		if len(names) > 0 {
			body = "{ " + strings.Join(names, ", ") + " }"
		}
		d.emit(p, "type %s%s interface %s", name, tparams, body)
	default:
		d.emit(p, "type %s%s %s", name, tparams, d.typ(u, tps))
	}
}

const unexportedMethods = "unexported methods"

// constraint writes the type-set part of an interface, if it has one.
func (d *dumper) constraint(u *types.Interface, tps map[*types.TypeParam]int) string {
	var parts []string
	for i := 0; i < u.NumEmbeddeds(); i++ {
		switch e := types.Unalias(u.EmbeddedType(i)).(type) {
		case *types.Union:
			parts = append(parts, d.typ(e, tps))
		default:
			if !types.IsInterface(e) {
				parts = append(parts, d.typ(e, tps))
			} else if e == types.Universe.Lookup("comparable").Type() {
				parts = append(parts, "comparable")
			}
		}
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

func (d *dumper) fields(p *types.Package, name string, s *types.Struct, tps map[*types.TypeParam]int, seen map[*types.Struct]bool) {
	if seen[s] {
		return
	}
	seen[s] = true
	for i := 0; i < s.NumFields(); i++ {
		f := s.Field(i)
		switch {
		case f.Exported() && f.Embedded():
			d.emit(p, "type %s struct, embedded %s", name, d.typ(f.Type(), tps))
		case f.Exported():
			d.emit(p, "type %s struct, %s %s", name, f.Name(), d.typ(f.Type(), tps))
		case f.Embedded():
			// The exported fields of an unexported embedded struct are
			// reachable all the same.
			t := types.Unalias(f.Type())
			if ptr, ok := t.(*types.Pointer); ok {
				t = types.Unalias(ptr.Elem())
			}
			if in, ok := t.Underlying().(*types.Struct); ok {
				d.fields(p, name, in, tps, seen)
			}
		}
	}
}

func (d *dumper) methods(p *types.Package, name string, named *types.Named) {
	tps := typeParamIndex(named.TypeParams())
	byValue := map[string]bool{}
	vs := types.NewMethodSet(named)
	for i := 0; i < vs.Len(); i++ {
		byValue[vs.At(i).Obj().Id()] = true
	}
	ms := types.NewMethodSet(types.NewPointer(named))
	for i := 0; i < ms.Len(); i++ {
		sel := ms.At(i)
		fn := sel.Obj().(*types.Func)
		if !fn.Exported() {
			continue
		}
		star := "*"
		if byValue[fn.Id()] {
			star = ""
		}
		sig := sel.Type().(*types.Signature)
		idx := tps
		if r := sig.RecvTypeParams(); r.Len() > 0 {
			idx = typeParamIndex(r)
		}
		d.emit(p, "method (%s%s) %s%s", star, name, fn.Name(), d.signature(sig, idx))
	}
}

func typeParamIndex(l *types.TypeParamList) map[*types.TypeParam]int {
	if l.Len() == 0 {
		return nil
	}
	m := map[*types.TypeParam]int{}
	for i := 0; i < l.Len(); i++ {
		m[l.At(i)] = i
	}
	return m
}

// typeParams writes a type parameter list with positional names, so that a
// renamed parameter leaves the line unchanged.
func (d *dumper) typeParams(l *types.TypeParamList, tps map[*types.TypeParam]int) string {
	if l.Len() == 0 {
		return ""
	}
	var parts []string
	for i := 0; i < l.Len(); i++ {
		parts = append(parts, fmt.Sprintf("$%d %s", i, d.typ(l.At(i).Constraint(), tps)))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// signature writes "(params) results" without parameter names.
func (d *dumper) signature(s *types.Signature, tps map[*types.TypeParam]int) string {
	var b strings.Builder
	b.WriteByte('(')
	for i := 0; i < s.Params().Len(); i++ {
		if i > 0 {
			b.WriteString(", ")
		}
		t := s.Params().At(i).Type()
		if s.Variadic() && i == s.Params().Len()-1 {
			if sl, ok := types.Unalias(t).(*types.Slice); ok {
				b.WriteString("..." + d.typ(sl.Elem(), tps))
			} else {
				b.WriteString("..." + d.typ(t, tps)) // append([]byte, string...) only
			}
			continue
		}
		b.WriteString(d.typ(t, tps))
	}
	b.WriteByte(')')
	switch n := s.Results().Len(); {
	case n == 1:
		b.WriteString(" " + d.typ(s.Results().At(0).Type(), tps))
	case n > 1:
		var parts []string
		for i := 0; i < n; i++ {
			parts = append(parts, d.typ(s.Results().At(i).Type(), tps))
		}
		b.WriteString(" (" + strings.Join(parts, ", ") + ")")
	}
	return b.String()
}

// sameType maps declared types that are one type under several names, or
// that became one, to the name that stands for all of them.
var sameType = map[string]string{
	"golang.org/x/net/context.Context":                                        "context.Context",
	"golang.org/x/net/context.CancelFunc":                                     "context.CancelFunc",
	"github.com/golang/protobuf/proto.Message":                                "proto.Message",
	"google.golang.org/protobuf/runtime/protoiface.MessageV1":                 "proto.Message",
	"github.com/golang/protobuf/protoc-gen-go/descriptor.FileDescriptorProto": "google.golang.org/protobuf/types/descriptorpb.FileDescriptorProto",
}

// typ writes a type with full import paths, aliases resolved.
func (d *dumper) typ(t types.Type, tps map[*types.TypeParam]int) string {
	switch t := types.Unalias(t).(type) {
	case *types.Basic:
		switch t.Kind() {
		case types.Uint8:
			return "byte"
		case types.Int32:
			return "int32"
		}
		return t.Name()
	case *types.Pointer:
		return "*" + d.typ(t.Elem(), tps)
	case *types.Slice:
		return "[]" + d.typ(t.Elem(), tps)
	case *types.Array:
		return "[" + strconv.FormatInt(t.Len(), 10) + "]" + d.typ(t.Elem(), tps)
	case *types.Map:
		return "map[" + d.typ(t.Key(), tps) + "]" + d.typ(t.Elem(), tps)
	case *types.Chan:
		return chanType(t.Dir(), d.typ(t.Elem(), tps))
	case *types.Signature:
		return "func" + d.signature(t, tps)
	case *types.Struct:
		return d.structType(t, tps)
	case *types.Interface:
		return d.interfaceType(t, tps)
	case *types.Union:
		var parts []string
		for i := 0; i < t.Len(); i++ {
			s := d.typ(t.Term(i).Type(), tps)
			if t.Term(i).Tilde() {
				s = "~" + s
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, " | ")
	case *types.TypeParam:
		if i, ok := tps[t]; ok {
			return "$" + strconv.Itoa(i)
		}
		return "$" + t.Obj().Name()
	case *types.Named:
		s := d.namedName(t.Obj())
		if n := t.TypeArgs().Len(); n > 0 {
			var parts []string
			for i := 0; i < n; i++ {
				parts = append(parts, d.typ(t.TypeArgs().At(i), tps))
			}
			s += "[" + strings.Join(parts, ", ") + "]"
		}
		return s
	}
	return t.String()
}

func chanType(dir types.ChanDir, elem string) string {
	switch dir {
	case types.SendOnly:
		return "chan<- " + elem
	case types.RecvOnly:
		return "<-chan " + elem
	}
	if strings.HasPrefix(elem, "<-") {
		elem = "(" + elem + ")"
	}
	return "chan " + elem
}

func (d *dumper) structType(t *types.Struct, tps map[*types.TypeParam]int) string {
	var parts []string
	for i := 0; i < t.NumFields(); i++ {
		f := t.Field(i)
		s := d.typ(f.Type(), tps)
		if !f.Embedded() {
			s = f.Name() + " " + s
		}
		if tag := t.Tag(i); tag != "" {
			s += " " + strconv.Quote(tag)
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return "struct{}"
	}
	return "struct { " + strings.Join(parts, "; ") + " }"
}

func (d *dumper) interfaceType(t *types.Interface, tps map[*types.TypeParam]int) string {
	if t.Empty() {
		return "interface{}"
	}
	var parts []string
	for i := 0; i < t.NumMethods(); i++ {
		m := t.Method(i)
		parts = append(parts, m.Name()+d.signature(m.Type().(*types.Signature), tps))
	}
	sort.Strings(parts)
	if c := d.constraint(t, tps); c != "" {
		if len(parts) == 0 {
			return c
		}
		parts = append(parts, c)
	}
	return "interface { " + strings.Join(parts, "; ") + " }"
}

func (d *dumper) namedName(tn *types.TypeName) string {
	if tn.Pkg() == nil {
		return tn.Name()
	}
	full := tn.Pkg().Path() + "." + tn.Name()
	if s, ok := sameType[full]; ok {
		return s
	}
	if s, ok := d.publicName[tn]; ok {
		return s
	}
	if !d.hidden(tn) || !d.ours(tn.Pkg().Path()) {
		return full
	}
	d.notes["no public name for a type in an exported signature: "+full] = true
	if isInternal(tn.Pkg().Path()) {
		// Where it is declared is nobody's business.
		return "hidden." + tn.Name()
	}
	return full
}

// ours reports whether the package belongs to a module being dumped.
func (d *dumper) ours(path string) bool {
	for _, m := range d.modules {
		if path == m || strings.HasPrefix(path, m+"/") {
			return true
		}
	}
	return false
}

func constText(v constant.Value) string {
	switch v.Kind() {
	case constant.String:
		return strconv.Quote(constant.StringVal(v))
	case constant.Float:
		return v.String()
	}
	return v.ExactString()
}
