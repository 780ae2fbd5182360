// Attempts to connect: their order and times, what happens when they fail, and the health of the connection.

package pickfirst

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/internal/fakechannel"
)

func TestAttemptsBegin250MillisecondsApart(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		fakechannel.Update(t, policy, fakechannel.Endpoints("a,b", "c"), nil)
		c.Expect(t, waitLine, "new a", "connect a")
		fakechannel.Pass(249 * time.Millisecond)
		c.Expect(t)
		fakechannel.Pass(time.Millisecond)
		c.Expect(t, "new b", "connect b")
		fakechannel.Pass(250 * time.Millisecond)
		c.Expect(t, "new c", "connect c")
		fakechannel.Pass(time.Hour)
		c.Expect(t)
	})
}

func TestFailureBeginsTheNextAttemptAtOnce(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b", "c"), nil)
		c.Sub("a").Goes(connecting)
		fakechannel.Pass(100 * time.Millisecond)
		c.Sub("a").Goes(failure)
		c.Expect(t, waitLine, "new a", "connect a", "new b", "connect b")
		fakechannel.Pass(249 * time.Millisecond) // the timer began anew
		c.Expect(t)
		fakechannel.Pass(time.Millisecond)
		c.Expect(t, "new c", "connect c")
		c.Sub("b").Goes(connecting, failure) // its turn is over
		c.Expect(t)
	})
}

func TestFirstReadyWins(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b", "c"), nil)
		c.Sub("a").Goes(connecting)
		fakechannel.Pass(attemptDelay)
		c.Sub("b").Goes(connecting, ready)
		c.Expect(t, waitLine, "new a", "connect a", "new b", "connect b", "shutdown a", "READY: b")
		c.Sub("a").Goes(ready, failure, shutdown)
		fakechannel.Pass(attemptDelay)
		c.Expect(t)
	})
}

func TestPassEndsWhenAllHaveFailed(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b", "c"), nil)
		c.Sub("a").Goes(connecting)
		fakechannel.Pass(attemptDelay)
		c.Sub("b").Goes(connecting)
		c.Sub("a").Goes(failure, idleState) // it is tried again when the pass has ended
		fakechannel.Pass(attemptDelay)
		c.Sub("c").Goes(connecting, failure)
		c.Expect(t, waitLine, "new a", "connect a", "new b", "connect b", "new c", "connect c")
		c.Sub("b").Goes(failure)
		c.Expect(t, "TRANSIENT_FAILURE: b failed", "connect a")
	})
}

func TestRetriesAllInAnyOrder(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		failOn(t, c, policy)
		c.Sub("b").Goes(idleState, connecting)
		c.Sub("a").Goes(idleState, connecting)
		c.Expect(t, "connect b", "connect a")
		c.Sub("a").Goes(failure, idleState, connecting)
		c.Expect(t, "connect a")
		c.Sub("a").Goes(failure) // as many failures as addresses: it is time for news
		c.Expect(t, "TRANSIENT_FAILURE: a failed")
		policy.ExitIdle()
		c.Expect(t)
		c.Sub("b").Goes(ready)
		c.Expect(t, "shutdown a", "READY: b")
	})
}

func TestStaysFailedUntilConnected(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		failOn(t, c, policy)
		// The same list: nothing new to try. All are in backoff, so the pass ends at once.
		fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b"), nil)
		c.Expect(t, "TRANSIENT_FAILURE: b failed")
		c.Sub("a").Goes(idleState)
		c.Expect(t, "connect a")
		fakechannel.Update(t, policy, fakechannel.Endpoints("a"), nil)
		c.Expect(t, "shutdown b", "connect a")
		c.Sub("a").Goes(connecting)
		c.Expect(t) // it has failed before
		c.Sub("a").Goes(failure)
		c.Expect(t, "TRANSIENT_FAILURE: a failed")
	})
}

func TestNewAddressEndsFailure(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		failOn(t, c, policy)
		fakechannel.Update(t, policy, fakechannel.Endpoints("b", "c"), nil)
		c.Expect(t, "shutdown a", "new c", "connect c") // b is in backoff
		c.Sub("c").Goes(connecting)
		c.Expect(t, waitLine)
		c.Sub("b").Goes(idleState)
		c.Expect(t)
		c.Sub("c").Goes(failure)
		c.Expect(t, "TRANSIENT_FAILURE: c failed", "connect b")
	})
}

func TestSubchannelInBackoffIsPassedOver(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		connectTo(t, c, policy, "a", "b")
		c.Sub("a").Goes(failure)
		c.Expect(t, "IDLE")
		policy.ExitIdle()
		c.Expect(t, waitLine, "new b", "connect b")
		c.Sub("a").Goes(idleState)
		c.Expect(t)
		c.Sub("b").Goes(connecting, failure)
		c.Expect(t, "TRANSIENT_FAILURE: b failed", "connect a")
	})
}

func TestConnectionLostBeforeItWasSeen(t *testing.T) {
	t.Run("in the first pass", func(t *testing.T) {
		run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
			fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b"), nil)
			fakechannel.Pass(attemptDelay)
			c.Sub("b").Goes(connecting, idleState)
			c.Expect(t, waitLine, "new a", "connect a", "new b", "connect b", "shutdown a", "IDLE")
		})
	})
	t.Run("later", func(t *testing.T) {
		run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
			failOn(t, c, policy)
			c.Sub("a").Goes(idleState, connecting, idleState)
			c.Expect(t, "connect a", "shutdown b", "IDLE")
			c.Sub("a").Goes(connecting, idleState) // of its own accord
			c.Expect(t)
		})
	})
}

func TestReadyTwiceIsReadyOnce(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		connectTo(t, c, policy, "a")
		c.Sub("a").Goes(ready)
		c.Expect(t)
	})
}

func TestChannelMakesNoSubchannel(t *testing.T) {
	errRefused := errors.New("no more")
	t.Run("for one address", func(t *testing.T) {
		run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
			c.Refuse = map[string]error{"b": errRefused}
			fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b", "c"), nil)
			c.Sub("a").Goes(connecting, failure)
			c.Expect(t, waitLine, "new a", "connect a", "new c", "connect c")
			c.Sub("c").Goes(connecting, failure)
			c.Expect(t, "TRANSIENT_FAILURE: c failed")
			c.Sub("c").Goes(idleState, connecting, ready)
			c.Expect(t, "connect c", "shutdown a", "READY: c")
		})
	})
	t.Run("for any", func(t *testing.T) {
		run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
			c.Refuse = map[string]error{"a": errRefused, "b": errRefused}
			fakechannel.Update(t, policy, fakechannel.Endpoints("a", "b"), nil)
			c.Expect(t, waitLine, "TRANSIENT_FAILURE: no more")
		})
	})
}

func withHealth(s balancer.ClientConnState) balancer.ClientConnState {
	s.ResolverState = EnableHealthListener(s.ResolverState)
	return s
}

func TestHealthOfTheConnection(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		fakechannel.Update(t, policy, withHealth(fakechannel.Endpoints("a", "b")), nil)
		c.Sub("a").Goes(connecting, ready)
		c.Expect(t, waitLine, "new a", "connect a", "watch health of a")
		c.Sub("a").HealthGoes(connecting, ready)
		c.Expect(t, "READY: a")
		c.Sub("a").HealthGoes(failure)
		c.Expect(t, "TRANSIENT_FAILURE: pickfirst: health check failure: a is sick")
		c.Sub("a").HealthGoes(connecting)
		c.Expect(t, waitLine)
		c.Sub("a").HealthGoes(idleState, shutdown) // which mean nothing for health
		c.Expect(t)
		c.Sub("a").Goes(idleState)
		c.Expect(t, "IDLE")
		c.Sub("a").HealthGoes(failure, ready) // late news of a connection that is lost
		c.Expect(t)
	})
}

func TestHealthAfterFailure(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		failOn(t, c, policy)
		fakechannel.Update(t, policy, withHealth(fakechannel.Endpoints("a", "b")), nil)
		c.Sub("a").Goes(idleState, connecting, ready)
		c.Expect(t, "TRANSIENT_FAILURE: b failed", "connect a", "shutdown b", waitLine, "watch health of a")
		c.Sub("a").HealthGoes(failure)
		c.Expect(t, "TRANSIENT_FAILURE: pickfirst: health check failure: a is sick")
		// Another connection has its own chance, and the health of this one does not matter any more.
		fakechannel.Update(t, policy, withHealth(fakechannel.Endpoints("c")), nil)
		c.Expect(t, "shutdown a", waitLine, "new c", "connect c")
		c.Sub("a").HealthGoes(ready)
		c.Expect(t)
	})
}

func TestHealthIsAskedForByTheLastUpdate(t *testing.T) {
	run(t, func(t *testing.T, c *fakechannel.Channel, policy *pickFirst) {
		connectTo(t, c, policy, "a")
		fakechannel.Update(t, policy, withHealth(fakechannel.Endpoints("a")), nil)
		c.Sub("a").Goes(idleState)
		policy.ExitIdle()
		c.Sub("a").Goes(connecting, ready)
		c.Expect(t, "IDLE", waitLine, "connect a", "watch health of a")
	})
}
