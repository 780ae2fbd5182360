// Other systems than Linux do not tell how a socket gets on.

//go:build !linux

package transport

import (
	"net"
	"time"
)

func setUserTimeout(net.Conn, time.Duration) {}

func unsentBytes(net.Conn) int { return 0 }
