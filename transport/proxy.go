// The way through an HTTP proxy: a tunnel that CONNECT opens (RFC 9110 §9.3.6, gRFC A1). The context of the dial bounds how long it takes,
// and maxProxyHead and maxProxyBody what is kept of the answer: a proxy is no more trusted than a server.

package transport

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
)

const (
	// maxProxyHead is how many bytes a proxy's answer may have, up to the body.
	maxProxyHead = 64 << 10
	// maxProxyBody is how many bytes of the body of a refusal go into the error.
	maxProxyBody = 1 << 10
	// maxProxyQuote is how many bytes of an answer, head and body, are quoted in an error.
	maxProxyQuote = 4 << 10
	// defaultProxyPort is the port of a proxy whose URL names none.
	defaultProxyPort = "443"
)

// ProxyDialer returns a Dialer that reaches addresses through an HTTP proxy. Whatever the scheme of its URL, the proxy is spoken to in
// plain HTTP. The user and password of the URL are for the proxy alone, and are sent to it in a Proxy-Authorization field.
func ProxyDialer(proxy *url.URL, userAgent string) Dialer {
	return func(ctx context.Context, address string) (net.Conn, error) {
		r, err := connectRequest(address, userAgent, proxy.User)
		if err != nil {
			return nil, err
		}
		host := proxy.Host
		if proxy.Port() == "" {
			host = net.JoinHostPort(proxy.Hostname(), defaultProxyPort)
		}
		nc, err := NetDialer(ctx, host)
		if err != nil {
			return nil, err
		}
		return openTunnel(ctx, nc, r)
	}
}

// connectRequest returns the request for a tunnel to address.
func connectRequest(address, userAgent string, user *url.Userinfo) (*http.Request, error) {
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c == '/' || c == 0x7f { // they would end the address, or the line
			return nil, fmt.Errorf("address %q cannot be asked of a proxy", address)
		}
	}
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Host: address}, Header: http.Header{"User-Agent": {userAgent}}}
	if user != nil {
		password, _ := user.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	return r, nil
}

// openTunnel makes a connection to a proxy one to the address of the request r. It takes over nc. The end of ctx ends it.
func openTunnel(ctx context.Context, nc net.Conn, r *http.Request) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	tunnel, err := askForTunnel(nc, r)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return tunnel, nil
}

func askForTunnel(nc net.Conn, r *http.Request) (net.Conn, error) {
	if err := r.Write(nc); err != nil {
		return nil, fmt.Errorf("failed to write the HTTP request: %v", err)
	}
	answer := &io.LimitedReader{R: nc, N: maxProxyHead}
	in := bufio.NewReader(answer)
	resp, err := http.ReadResponse(in, r)
	switch {
	case err != nil && answer.N == 0:
		return nil, fmt.Errorf("reading server HTTP response: head of more than %d bytes", maxProxyHead)
	case err != nil:
		text := err.Error() // it may quote the answer
		return nil, fmt.Errorf("reading server HTTP response: %s", text[:min(len(text), maxProxyQuote)])
	case resp.StatusCode != http.StatusOK:
		answer.N = maxProxyBody
		return nil, refusedTunnel(resp)
	case in.Buffered() == 0:
		return nc, nil
	}
	early, _ := in.Peek(in.Buffered()) // cannot fail
	return &tunnelConn{Conn: nc, early: early}, nil
}

// refusedTunnel is the error for an answer that opens no tunnel.
func refusedTunnel(resp *http.Response) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProxyBody+1))
	if err != nil && len(body) <= maxProxyBody {
		return refusedWith(resp.Status)
	}
	cut := len(body) > maxProxyBody
	if cut {
		resp.ContentLength, resp.TransferEncoding = -1, nil
		body = body[:maxProxyBody]
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	text, err := httputil.DumpResponse(resp, true)
	if err != nil {
		return refusedWith(resp.Status)
	}
	return fmt.Errorf("failed to do connect handshake, response: %q", text[:min(len(text), maxProxyQuote)])
}

func refusedWith(status string) error {
	return errors.New("failed to do connect handshake, status code: " + status[:min(len(status), maxProxyQuote)])
}

// A tunnelConn is a connection of which some bytes were read already.
type tunnelConn struct {
	net.Conn
	early []byte
}

func (c *tunnelConn) Read(b []byte) (int, error) {
	if len(c.early) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.early)
	if c.early = c.early[n:]; len(c.early) == 0 {
		c.early = nil
	}
	return n, nil
}
