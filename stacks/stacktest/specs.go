package stacktest

// specs are the architectures that every target must be able to build, from the least to one of everything.
var specs = []struct{ name, text string }{
	{"one server", `
surety: v1
name: alone
servers:
  web:
    runs: {package: nginx, command: [nginx, -g, "daemon off;"], port: 80}
`},
	{"public servers", `
surety: v1
name: site
owner: {team: web, contact: web@example.org}
objectives: {availability: 99, budget: {monthly: 10, currency: EUR}, residency: [TW]}
servers:
  web:
    count: 3
    size: {cpu: 0.5, memory: 128MiB, disk: 256MiB}
    os: debian-12
    runs: {package: nginx, command: [nginx], port: 8080, health: /healthz}
    files: {/etc/nginx/nginx.conf: "server_name ${self.name};"}
    public: {port: 80, from: 192.0.2.0/24}
    expects: {rps: 100, p95: 50ms, errors: 1%}
`},
	{"database alone", `
surety: v1
name: data
databases:
  main: {engine: postgres, version: "15"}
`},
	{"database with a standby", `
surety: v1
name: reader
owner: {team: platform}
objectives: {rto: 15m, rpo: 5m, support: {critical: 1h}}
secrets: {admin: {length: 32}}
servers:
  web:
    count: 2
    runs: {package: miniflux, command: [miniflux], port: 8080, health: /healthcheck}
    env: {DATABASE_URL: "${databases.main.url}?sslmode=disable", ADMIN_PASSWORD: "${secrets.admin}", LISTEN: 0.0.0.0:8080}
    uses: [databases.main]
    public: {port: 80}
databases:
  main: {engine: postgres, version: "15", size: {cpu: 1, memory: 1GiB, disk: 2GiB}, highAvailability: true, expects: {tps: 10}}
`},
	{"buckets of several groups", `
surety: v1
name: registry
servers:
  a:
    runs: {package: docker-registry, command: [docker-registry], port: 5000}
    env: {E: "${buckets.b-c.endpoint}", K: "${buckets.b-c.accessKey}", S: "${buckets.b-c.secretKey}", N: "${buckets.b-c.name}"}
    uses: [buckets.b-c]
    public: {port: 80}
  a-b:
    count: 2
    runs: {package: docker-registry, command: [docker-registry], port: 5000}
    env: {S: "${buckets.c.secretKey}:${buckets.b-c.secretKey}"}
    uses: [buckets.c, buckets.b-c]
buckets:
  c: {size: 1GiB, versioning: true}
  b-c: {size: 2GiB, expects: {put: 1MiB/s}}
`},
	{"servers that use servers", `
surety: v1
name: layers
owner: {team: platform, contact: platform@example.org}
servers:
  web:
    count: 2
    runs: {package: nginx, command: [nginx], port: 8080}
    env: {API: "${servers.api.url}/v1", HOST: "${servers.api.host}:${servers.api.port}"}
    uses: [servers.api]
    public: {port: 80}
  api:
    count: 2
    runs: {package: nginx, command: [nginx], port: 9000, health: /ready}
    env: {DSN: "host=${databases.main.host} port=${databases.main.port} user=${databases.main.user} password=${databases.main.password} dbname=${databases.main.name}"}
    uses: [databases.main, buckets.media]
databases:
  main: {engine: postgres}
buckets:
  media: {}
backups:
  nightly: {of: [databases.main], every: 24h, keep: {daily: 7}}
`},
	{"backups of one thing of each kind", `
surety: v1
name: copies
owner: {team: platform, contact: platform@example.org}
servers:
  web:
    count: 2
    runs: {package: nginx, command: [nginx], port: 8080}
    files: {/etc/nginx/nginx.conf: "a", /srv/index.html: "b"}
    uses: [databases.main, buckets.media]
databases:
  main: {engine: postgres, version: "15", highAvailability: true}
buckets:
  media: {size: 1GiB}
backups:
  nightly: {of: [databases.main, servers.web, buckets.media], every: 24h, keep: {daily: 7, weekly: 4, monthly: 12}}
  hourly: {of: [databases.main], every: 1h}
`},
}
