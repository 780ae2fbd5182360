// Lines of components: the name before them, and the place that a depth logger shows.

package grpclog

import "testing"

func TestComponent(t *testing.T) {
	restoreLogger(t)
	r := &depthRecorder{}
	SetLoggerV2(r)
	c := Component("c%d")
	c.Info("a", 1)
	c.Infoln("a", 1)
	c.Infof("%s %d", "a", 1)
	c.InfoDepth(0, "a", 1)
	c.Warning("a", 1)
	c.Warningln("a", 1)
	c.Warningf("%s %d", "a", 1)
	c.WarningDepth(0, "a", 1)
	c.Error("a", 1)
	c.Errorln("a", 1)
	c.Errorf("%s %d", "a", 1)
	c.ErrorDepth(0, "a", 1)
	survive(func() { c.Fatal("a", 1) })
	survive(func() { c.Fatalln("a", 1) })
	survive(func() { c.Fatalf("%s %d", "a", 1) })
	survive(func() { c.FatalDepth(0, "a", 1) })

	var want []string
	for _, method := range []string{"InfoDepth", "WarningDepth", "ErrorDepth", "FatalDepth"} {
		plain := method + ` component_test.go ["[c%d]" "a" '\x01']`
		want = append(want, plain, plain, method+` component_test.go ["[c%d]" "a 1"]`, plain)
	}
	if len(r.calls) != len(want) {
		t.Fatalf("got %d calls, want %d", len(r.calls), len(want))
	}
	for i := range want {
		if r.calls[i] != want[i] {
			t.Errorf("call %d: got %s, want %s", i, r.calls[i], want[i])
		}
	}
	if c.V(2) || !c.V(3) {
		t.Errorf("got V(2) %v, V(3) %v, want the answers of the logger, false, true", c.V(2), c.V(3))
	}
}

func TestComponentsOfOneNameAreEqual(t *testing.T) {
	if Component("a") != Component("a") || Component("a") == Component("b") {
		t.Error("got equality that does not follow the name")
	}
}

func TestComponentCannotBeTheLoggerOfTheProcess(t *testing.T) {
	defer func() {
		if got, want := recover(), "cannot use component logger as grpclog logger"; got != want {
			t.Errorf("got panic %v, want %q", got, want)
		}
	}()
	SetLoggerV2(Component("a"))
}
