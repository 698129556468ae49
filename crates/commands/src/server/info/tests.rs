//! Tests of INFO; names of fields are those of Redis 7.0.15.

use crate::harness::Server;
use base::Offset;
use engine::replication::{Link, LinkState, ReplicaRow};

fn text(server: &mut Server, line: &str) -> String {
    let reply = server.line(line);
    let (head, body) = reply.split_once("\r\n").expect("a bulk string");
    assert_eq!(head, format!("${}", body.len() - 2), "{line}");
    body[..body.len() - 2].to_owned()
}

fn headings(server: &mut Server, line: &str) -> Vec<String> {
    let text = text(server, line);
    text.lines().filter_map(|line| line.strip_prefix("# ").map(str::to_owned)).collect()
}

fn names(server: &mut Server, line: &str) -> Vec<String> {
    let text = text(server, line);
    text.lines().filter_map(|line| line.split_once(':').map(|(name, _)| name.to_owned())).collect()
}

#[test]
fn sections_are_chosen_as_in_stock() {
    let mut server = Server::new();
    let default = [
        "Server",
        "Clients",
        "Memory",
        "Persistence",
        "Stats",
        "Replication",
        "CPU",
        "Modules",
        "Errorstats",
        "Cluster",
        "Keyspace",
    ];
    assert_eq!(headings(&mut server, "info"), default);
    assert_eq!(headings(&mut server, "info default"), default);
    let all = headings(&mut server, "info all");
    assert_eq!(all.len(), 13);
    assert_eq!(all, headings(&mut server, "INFO everything"));
    assert_eq!(headings(&mut server, "info KEYSPACE cpu cpu"), ["CPU", "Keyspace"]);
    assert_eq!(headings(&mut server, "info modules"), ["Modules"]);
    server.check("info nosuch", "$0\r\n\r\n");
    server.check("info cluster", "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
}

#[test]
fn the_fields_are_those_of_stock() {
    let mut server = Server::new();
    // Names in the order in which Redis 7.0.15 shows them.
    let replication = "role connected_slaves master_failover_state master_replid master_replid2 \
         master_repl_offset second_repl_offset repl_backlog_active repl_backlog_size \
         repl_backlog_first_byte_offset repl_backlog_histlen";
    assert_eq!(names(&mut server, "info replication").join(" "), replication);
    let clients = "connected_clients cluster_connections maxclients \
         client_recent_max_input_buffer client_recent_max_output_buffer blocked_clients \
         tracking_clients clients_in_timeout_table";
    // Those that came later.
    let later = "total_blocking_keys total_blocking_keys_on_nokey pubsub_clients watching_clients \
         total_watched_keys";
    let clients = format!("{clients} {later}");
    assert_eq!(names(&mut server, "info clients").join(" "), clients);
    let cpu = "used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children \
         used_cpu_sys_main_thread used_cpu_user_main_thread";
    assert_eq!(names(&mut server, "info cpu").join(" "), cpu);
    let counts = [("server", 28), ("memory", 53), ("persistence", 30), ("stats", 57)];
    for (section, count) in counts {
        assert_eq!(names(&mut server, &format!("info {section}")).len(), count, "{section}");
    }
}

#[test]
fn keys_and_calls_are_counted() {
    let mut server = Server::new();
    server.check("append a x", ":1\r\n");
    server.check("append b x", ":1\r\n");
    server.check("get nokey", "$-1\r\n");
    server.line("get");
    server.line("wait x 0");
    assert_eq!(
        text(&mut server, "info keyspace"),
        "# Keyspace\r\ndb0:keys=2,expires=0,avg_ttl=0\r\n"
    );
    let stats = text(&mut server, "info stats");
    assert!(stats.contains("\r\nkeyspace_misses:1\r\n"), "{stats}");
    assert!(stats.contains("\r\ntotal_error_replies:2\r\n"), "{stats}");
    assert_eq!(text(&mut server, "info errorstats"), "# Errorstats\r\nerrorstat_ERR:count=2\r\n");
    let commands = text(&mut server, "info commandstats");
    assert!(commands.contains("\r\ncmdstat_append:calls=2,usec="), "{commands}");
    assert!(commands.contains(",rejected_calls=1,failed_calls=0\r\n"), "{commands}");
    assert!(commands.contains(",rejected_calls=0,failed_calls=1\r\n"), "{commands}");
}

#[test]
fn a_replica_tells_its_link() {
    let mut server = Server::new();
    server.check("replicaof 10.0.0.1 6380", "+OK\r\n");
    let down = text(&mut server, "info replication");
    let expected = "# Replication\r\nrole:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6380\r\n\
         master_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\nmaster_sync_in_progress:0\r\n\
         slave_read_repl_offset:0\r\nslave_repl_offset:0\r\nmaster_link_down_since_seconds:-1\r\n\
         slave_priority:100\r\nslave_read_only:1\r\nreplica_announced:1\r\nconnected_slaves:0\r\n\
         master_failover_state:no-failover\r\n";
    assert!(down.starts_with(expected), "{down}");
    let link = Link { state: LinkState::Sync, sync_bytes: (200, 50), ..Link::default() };
    server.node().replication.publish_link(link);
    let names = names(&mut server, "info replication").join(" ");
    let sync = "slave_repl_offset master_sync_total_bytes master_sync_read_bytes \
         master_sync_left_bytes master_sync_perc master_sync_last_io_seconds_ago \
         master_link_down_since_seconds slave_priority";
    assert!(names.contains(sync), "{names}");
    let link = Link { state: LinkState::Connected, ..Link::default() };
    server.node().replication.publish_link(link);
    assert!(text(&mut server, "info replication").contains("\r\nmaster_link_status:up\r\n"));
}

#[test]
fn a_primary_lists_its_replicas() {
    let mut server = Server::new();
    let row = |port, lag_ms| ReplicaRow {
        host: "10.0.0.2".into(),
        port,
        state: "online",
        offset: Offset(14),
        lag_ms,
        lag_bytes: 0,
    };
    server.node().replication.publish_replicas(vec![row(1, 0), row(2, 2500)], vec![], vec![], 2);
    let text = text(&mut server, "info replication");
    let expected = "role:master\r\nconnected_slaves:2\r\n\
         slave0:ip=10.0.0.2,port=1,state=online,offset=14,lag=0\r\n\
         slave1:ip=10.0.0.2,port=2,state=online,offset=14,lag=2\r\nmaster_failover_state:";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn resp3_gets_a_verbatim_text() {
    let mut server = Server::new();
    server.session.protocol = resp::reply::Protocol::Resp3;
    server.check("info cluster", "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n");
}
