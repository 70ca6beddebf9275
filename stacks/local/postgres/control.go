package postgres

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"surety/stacks/local/service"
)

// Status is what the agent says of its server. Role, Timeline, LagBytes and Standbys are asked of the running server, never recalled.
type Status struct {
	Role      Role            `json:"role"`    // what the server is; while it does not run, what it is declared to be
	Running   bool            `json:"running"` // accepts connections
	Version   string          `json:"version"` // full, as "15.18"
	Phase     string          `json:"phase"`   // what the agent is doing
	Failure   string          `json:"failure,omitempty"`
	Applied   string          `json:"applied,omitempty"` // Config.Digest of the configuration in force
	SystemID  string          `json:"systemId,omitempty"`
	Timeline  int             `json:"timeline,omitempty"` // goes up by one with each promotion
	Streaming bool            `json:"streaming"`          // of a standby: receives from its primary now
	LagBytes  int64           `json:"lagBytes"`           // of a standby: what the primary had written when last heard of, less what is replayed; of a primary: its worst standby's
	Standbys  []StandbyStatus `json:"standbys,omitempty"` // of a primary: those connected
}

// StandbyStatus is a connected standby as its primary sees it.
type StandbyStatus struct {
	Name     string `json:"name"` // its slot's name
	Address  string `json:"address"`
	State    string `json:"state"`    // "streaming", "catchup", …
	LagBytes int64  `json:"lagBytes"` // written here, not yet replayed there
	// Synchronous tells that commits here wait until it has written them, so that it can take over without a loss.
	Synchronous bool `json:"synchronous,omitempty"`
}

// query builds the Status. A server that does not answer within ctx is not running.
func (a *agent) query(ctx context.Context) (Status, error) {
	a.mu.Lock()
	s := Status{Role: a.conf.Role, Version: a.version, Phase: a.phase, Failure: a.failure, Applied: a.applied}
	running := a.running
	view := &agent{conf: a.conf}
	a.mu.Unlock()
	if !running {
		return s, nil
	}
	conn, err := view.connect(ctx)
	if err != nil {
		s.Failure = err.Error()
		return s, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	standby, err := inRecovery(ctx, conn)
	if err != nil {
		s.Failure = err.Error()
		return s, err
	}
	if s.Running = true; standby {
		s.Role = Standby
		err = conn.QueryRow(ctx, `SELECT (SELECT system_identifier::text FROM pg_control_system()),
			coalesce(r.received_tli, (SELECT timeline_id FROM pg_control_checkpoint())), coalesce(r.status = 'streaming', false),
			coalesce(greatest(pg_wal_lsn_diff(coalesce(r.latest_end_lsn, pg_last_wal_receive_lsn()), pg_last_wal_replay_lsn()), 0), 0)::bigint
			FROM (SELECT 1) one LEFT JOIN pg_stat_wal_receiver r ON true`).Scan(&s.SystemID, &s.Timeline, &s.Streaming, &s.LagBytes)
		return s, err
	}
	s.Role = Primary
	err = conn.QueryRow(ctx, `SELECT (SELECT system_identifier::text FROM pg_control_system()),
		('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int`).Scan(&s.SystemID, &s.Timeline)
	if err != nil {
		return s, err
	}
	// A base backup under way is listed too, and what archives the log; they are no standbys.
	rows, err := conn.Query(ctx, `SELECT application_name, coalesce(host(client_addr), ''), state,
		coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint, sync_state IN ('sync', 'quorum')
		FROM pg_stat_replication WHERE application_name <> 'pg_basebackup' AND application_name NOT LIKE 'surety\_backup%' ORDER BY 1, 2`)
	if err != nil {
		return s, err
	}
	s.Standbys, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (StandbyStatus, error) {
		var b StandbyStatus
		err := r.Scan(&b.Name, &b.Address, &b.State, &b.LagBytes, &b.Synchronous)
		return b, err
	})
	for _, b := range s.Standbys {
		s.LagBytes = max(s.LagBytes, b.LagBytes)
	}
	return s, err
}

// serveControl opens the control socket.
func (a *agent) serveControl() (stop func() error, err error) {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		s, _ := a.query(ctx) // the failure is in the Status
		service.Answer(w, s)
	}
	mux.HandleFunc("GET /status", answer)
	mux.HandleFunc("POST /promote", func(w http.ResponseWriter, r *http.Request) {
		request := promotionRequest{ctx: r.Context(), reply: make(chan error, 1)}
		select {
		case a.promotions <- request: // once the server is up
			if err := <-request.reply; err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			answer(w, r)
		case <-r.Context().Done():
		}
	})
	return service.Serve(a.conf.Socket, mux)
}

// Query asks the agent behind a control socket for its status. A nil dial connects directly.
func Query(ctx context.Context, dial service.Dialer, socket string) (Status, error) {
	return ask(ctx, dial, socket, http.MethodGet, "/status")
}

// Promote makes the standby behind a control socket primary and returns its status when it takes writes. It waits for a server that
// is still starting, so give ctx a deadline. A primary is left as it is.
func Promote(ctx context.Context, dial service.Dialer, socket string) (Status, error) {
	return ask(ctx, dial, socket, http.MethodPost, "/promote")
}

func ask(ctx context.Context, dial service.Dialer, socket, method, path string) (Status, error) {
	s, err := service.Ask[Status](ctx, dial, socket, method, path)
	if err != nil {
		return s, fmt.Errorf("ask the database agent: %w", err)
	}
	return s, nil
}
