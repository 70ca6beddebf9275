package objectstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"
)

// Admin administers an object store over its network API with the administrator's keys. Set the fields, then call; it is safe for
// use by several goroutines, and must not be copied after the first call. Every method may be repeated after a failure.
type Admin struct {
	Endpoint  string // "http://address:port"
	AccessKey string
	SecretKey string
	Region    string                                                            // "us-east-1" when empty
	Dial      func(ctx context.Context, network, addr string) (net.Conn, error) // nil: connect directly

	once   sync.Once
	http   *http.Transport
	s3     *minio.Client
	failed error
}

// client gives the S3 client, made at the first call.
func (a *Admin) client() (*minio.Client, error) {
	a.once.Do(func() {
		if a.Region == "" {
			a.Region = defaultRegion
		}
		a.http = &http.Transport{DialContext: a.Dial, MaxIdleConnsPerHost: 16, IdleConnTimeout: 10 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second, DisableCompression: true}
		u, err := url.Parse(a.Endpoint)
		if err != nil || u.Host == "" {
			a.failed = fmt.Errorf("object store endpoint %q is not a URL: %w", a.Endpoint, errors.Join(err))
			return
		}
		a.s3, a.failed = minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(a.AccessKey, a.SecretKey, ""),
			Secure: u.Scheme == "https", Region: a.Region, BucketLookup: minio.BucketLookupPath, Transport: a.http, MaxRetries: 3})
	})
	return a.s3, a.failed
}

// Close gives idle connections back. The Admin may be used again afterwards.
func (a *Admin) Close() {
	if _, err := a.client(); err == nil {
		a.http.CloseIdleConnections()
	}
}

// Ready returns when the store answers the administrator, or with the last failure when ctx ends first. Wrong keys end it at once.
func (a *Admin) Ready(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := a.users(ctx)
		var refused *apiError
		if err == nil || errors.As(err, &refused) && refused.status < 500 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("object store %s: %w", a.Endpoint, errors.Join(ctx.Err(), err))
		}
	}
}

// account is a user as the store's administration API writes it.
type account struct {
	XMLName   xml.Name `xml:"Account"`
	Access    string
	Secret    string
	Role      string
	UserID    int
	GroupID   int
	ProjectID int
}

// roleUser may do what bucket policies let it and nothing else; it cannot make buckets.
const roleUser = "user"

// users lists the store's users by access key, with their secrets.
func (a *Admin) users(ctx context.Context) (map[string]account, error) {
	raw, err := a.call(ctx, "/list-users", nil, nil)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	var list struct {
		Accounts []struct {
			Access, Secret, Role string
		}
	}
	if err := xml.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	users := map[string]account{}
	for _, u := range list.Accounts {
		users[u.Access] = account{Access: u.Access, Secret: u.Secret, Role: u.Role}
	}
	return users, nil
}

// ensureUser makes a user or sets its secret and role when they differ.
func (a *Admin) ensureUser(ctx context.Context, have map[string]account, accessKey, secretKey string) error {
	u, found := have[accessKey]
	if found && u.Secret == secretKey && u.Role == roleUser {
		return nil
	}
	if !found {
		_, err := a.call(ctx, "/create-user", nil, account{Access: accessKey, Secret: secretKey, Role: roleUser})
		var refused *apiError
		if !errors.As(err, &refused) || refused.Code != "XAdminUserExists" {
			return err
		}
	}
	_, err := a.call(ctx, "/update-user", url.Values{"access": {accessKey}}, struct {
		XMLName xml.Name `xml:"MutableProps"`
		Secret  string
		Role    string
	}{Secret: secretKey, Role: roleUser})
	return err
}

func (a *Admin) deleteUser(ctx context.Context, accessKey string) error {
	_, err := a.call(ctx, "/delete-user", url.Values{"access": {accessKey}}, nil)
	var refused *apiError
	if errors.As(err, &refused) && refused.Code == "XAdminUserNotFound" {
		return nil
	}
	return err
}

// apiError is a refusal of the administration API.
type apiError struct {
	Code    string
	Message string
	status  int
}

func (e *apiError) Error() string { return fmt.Sprintf("%s (%d): %s", e.Code, e.status, e.Message) }

// call sends one signed request to the store's administration API and gives the answer's body. A nil body sends none.
func (a *Admin) call(ctx context.Context, path string, query url.Values, body any) ([]byte, error) {
	if _, err := a.client(); err != nil {
		return nil, err
	}
	var payload []byte
	if body != nil {
		var err error
		if payload, err = xml.Marshal(body); err != nil {
			return nil, err
		}
	}
	u := strings.TrimSuffix(a.Endpoint, "/") + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, u, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(payload)
	request.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	request = signer.SignV4(*request, a.AccessKey, a.SecretKey, "", a.Region)
	response, err := a.http.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		refused := &apiError{status: response.StatusCode}
		if xml.Unmarshal(raw, refused) != nil || refused.Code == "" {
			refused.Code = response.Status
		}
		return nil, refused
	}
	return raw, nil
}
