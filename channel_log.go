// What channels say in the log: how they come and go, what name resolution finds, which policy is at work, and the states of channel and
// subchannels with their reasons. Calls say nothing.

package grpc

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/resolver"
)

// A logLine is formatted when a logger prints it, and so not at all if the lines of its severity are not printed.
type logLine struct {
	about  fmt.Stringer
	format string
	args   []any
}

// String implements fmt.Stringer.
func (l logLine) String() string { return l.about.String() + ": " + fmt.Sprintf(l.format, l.args...) }

func logInfo(about fmt.Stringer, format string, args ...any) {
	logger.InfoDepth(1, logLine{about, format, args})
}

func logWarning(about fmt.Stringer, format string, args ...any) {
	logger.WarningDepth(1, logLine{about, format, args})
}

// A channelName is a channel in the log.
type channelName string

// String implements fmt.Stringer.
func (n channelName) String() string { return fmt.Sprintf("channel to %q", string(n)) }

// name returns what the channel is called in the log.
func (cc *ClientConn) name() channelName { return channelName(cc.target) }

// A subchannelName is a subchannel in the log.
type subchannelName struct {
	channel   channelName
	addresses addressNames
}

// String implements fmt.Stringer.
func (n subchannelName) String() string {
	return fmt.Sprintf("%v, subchannel to %v", n.channel, n.addresses)
}

// name returns what the subchannel is called in the log. On the queue.
func (sc *subchannel) name() subchannelName { return subchannelName{sc.ac.cc.name(), sc.addresses} }

// A connectionName is a connection in the log.
type connectionName struct {
	channel channelName
	address string
}

// String implements fmt.Stringer.
func (n connectionName) String() string {
	return fmt.Sprintf("%v, connection to %s", n.channel, n.address)
}

// name returns what the connection is called in the log.
func (c *connection) name() connectionName { return connectionName{c.sc.ac.cc.name(), c.address.Addr} }

// An addressNames shows addresses without their attributes, which may be secret.
type addressNames []resolver.Address

// String implements fmt.Stringer.
func (l addressNames) String() string {
	texts := make([]string, len(l))
	for i, a := range l {
		texts[i] = a.Addr
	}
	return "[" + strings.Join(texts, " ") + "]"
}
