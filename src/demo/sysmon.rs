//! `demo sysmon`: this computer. Looked at twice a second, and only while somebody watches.

use std::time::Duration;

use foxglove_bridge::hub::Hub;
use serde::Serialize;
use sysinfo::{Disks, Networks, ProcessRefreshKind, ProcessesToUpdate, System};

use super::{Running, Ticker};

const PERIOD: Duration = Duration::from_millis(500);

/// How many processes are named.
const BUSIEST: usize = 8;

#[derive(Debug, Serialize)]
struct Stats {
    hostname: String,
    platform: String,
    release: String,
    arch: String,
    /// In seconds.
    uptime: u64,
    /// From 0 to 1, of all cores.
    total_cpu_usage: f64,
    cpus: Vec<Cpu>,
    /// Over 1, 5 and 15 minutes.
    loadavg: [f64; 3],
    /// In bytes.
    totalmem: u64,
    freemem: u64,
    usedmem: u64,
    totalswap: u64,
    usedswap: u64,
    disks: Vec<Disk>,
    networks: Vec<Network>,
    processes: Vec<Process>,
}

#[derive(Debug, Serialize)]
struct Cpu {
    model: String,
    /// In MHz.
    speed: u64,
    /// From 0 to 1.
    usage: f64,
}

#[derive(Debug, Serialize)]
struct Disk {
    name: String,
    mounted: String,
    total: u64,
    free: u64,
}

#[derive(Debug, Serialize)]
struct Network {
    name: String,
    received_per_second: f64,
    sent_per_second: f64,
}

#[derive(Debug, Serialize)]
struct Process {
    name: String,
    pid: u32,
    /// Of one core; several make more than 1.
    cpu: f64,
    memory: u64,
}

const SCHEMA: &str = r#"{"type":"object","properties":{
    "hostname":{"type":"string"},"platform":{"type":"string"},"release":{"type":"string"},"arch":{"type":"string"},
    "uptime":{"type":"number"},"total_cpu_usage":{"type":"number"},
    "cpus":{"type":"array","items":{"type":"object","properties":{
        "model":{"type":"string"},"speed":{"type":"number"},"usage":{"type":"number"}}}},
    "loadavg":{"type":"array","items":{"type":"number"}},
    "totalmem":{"type":"number"},"freemem":{"type":"number"},"usedmem":{"type":"number"},
    "totalswap":{"type":"number"},"usedswap":{"type":"number"},
    "disks":{"type":"array","items":{"type":"object","properties":{
        "name":{"type":"string"},"mounted":{"type":"string"},"total":{"type":"number"},"free":{"type":"number"}}}},
    "networks":{"type":"array","items":{"type":"object","properties":{
        "name":{"type":"string"},"received_per_second":{"type":"number"},"sent_per_second":{"type":"number"}}}},
    "processes":{"type":"array","items":{"type":"object","properties":{
        "name":{"type":"string"},"pid":{"type":"number"},"cpu":{"type":"number"},"memory":{"type":"number"}}}}}}"#;

pub(super) fn start(hub: &Hub) -> anyhow::Result<Running> {
    let stats = hub.channel("system_stats").json_schema("Stats", SCHEMA)?;
    let mut monitor = Monitor::new();
    let ticker = Ticker::start(PERIOD, move || {
        if stats.is_subscribed() {
            stats.log(&monitor.look());
        }
    })?;
    Ok(Box::new(ticker))
}

struct Monitor {
    system: System,
    disks: Disks,
    networks: Networks,
}

impl Monitor {
    fn new() -> Self {
        Self {
            system: System::new(),
            disks: Disks::new_with_refreshed_list(),
            networks: Networks::new_with_refreshed_list(),
        }
    }

    /// What has happened since the last look.
    fn look(&mut self) -> Stats {
        let system = &mut self.system;
        system.refresh_cpu_all();
        system.refresh_memory();
        let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
        self.disks.refresh(true);
        self.networks.refresh(true);
        let load = System::load_average();
        let per_second = |bytes: u64| bytes as f64 / PERIOD.as_secs_f64();
        let mut networks: Vec<_> = self
            .networks
            .iter()
            .map(|(name, data)| Network {
                name: name.clone(),
                received_per_second: per_second(data.received()),
                sent_per_second: per_second(data.transmitted()),
            })
            .collect();
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        let mut processes: Vec<_> = system.processes().values().collect();
        processes.sort_by(|a, b| b.cpu_usage().total_cmp(&a.cpu_usage()));
        Stats {
            hostname: System::host_name().unwrap_or_default(),
            platform: System::name().unwrap_or_default(),
            release: System::kernel_version().unwrap_or_default(),
            arch: System::cpu_arch(),
            uptime: System::uptime(),
            total_cpu_usage: f64::from(system.global_cpu_usage()) / 100.0,
            cpus: system
                .cpus()
                .iter()
                .map(|cpu| Cpu {
                    model: cpu.brand().to_owned(),
                    speed: cpu.frequency(),
                    usage: f64::from(cpu.cpu_usage()) / 100.0,
                })
                .collect(),
            loadavg: [load.one, load.five, load.fifteen],
            totalmem: system.total_memory(),
            freemem: system.available_memory(),
            usedmem: system.used_memory(),
            totalswap: system.total_swap(),
            usedswap: system.used_swap(),
            disks: self
                .disks
                .iter()
                .map(|disk| Disk {
                    name: disk.name().to_string_lossy().into_owned(),
                    mounted: disk.mount_point().display().to_string(),
                    total: disk.total_space(),
                    free: disk.available_space(),
                })
                .collect(),
            networks,
            processes: processes
                .into_iter()
                .take(BUSIEST)
                .map(|process| Process {
                    name: process.name().to_string_lossy().into_owned(),
                    pid: process.pid().as_u32(),
                    cpu: f64::from(process.cpu_usage()) / 100.0,
                    memory: process.memory(),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_this_computer_is_plausible_and_has_its_schema() {
        let mut monitor = Monitor::new();
        monitor.look();
        std::thread::sleep(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL);
        let stats = monitor.look();
        assert!(
            !stats.cpus.is_empty() && stats.totalmem > 1 << 20 && stats.freemem <= stats.totalmem,
            "{stats:?}"
        );
        assert!(stats.cpus.iter().all(|cpu| (0.0..=1.01).contains(&cpu.usage)), "{stats:?}");
        assert!(!stats.processes.is_empty() && stats.uptime > 0);
        let (value, schema) = (
            serde_json::to_value(stats).unwrap(),
            serde_json::from_str::<serde_json::Value>(SCHEMA).unwrap(),
        );
        let described: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
        let mut sent: Vec<_> = value.as_object().unwrap().keys().collect();
        sent.sort();
        let mut described_sorted = described.clone();
        described_sorted.sort();
        assert_eq!(sent, described_sorted);
    }
}
