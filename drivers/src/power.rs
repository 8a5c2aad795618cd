//! Mains and battery as the kernel tells them, and whether there is power enough to begin
//! something. What is done about a low battery is decided elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

/// Watches the machine's power. Ask it every ten seconds or so.
#[derive(Debug)]
pub struct PowerWatch {
    root: PathBuf,
    limits: PowerLimits,
    supply: Supply,
    /// The last reading said critical, and one alone is not believed.
    was_critical: bool,
}

/// At how much charge a battery is low or critical, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerLimits {
    /// Low from here down.
    pub low: u8,
    /// Critical from here down.
    pub critical: u8,
    /// How much more it takes to be no longer low or critical.
    pub margin: u8,
}

/// The power of a machine at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerReport {
    /// Whether mains power is there; `None` where the kernel does not know.
    pub mains: Option<bool>,
    /// The battery; `None` where there is none.
    pub battery: Option<Battery>,
    /// What it means.
    pub supply: Supply,
}

/// A battery at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Battery {
    /// How full it is; `None` where it does not tell.
    pub percent: Option<u8>,
    /// What it does.
    pub flow: Flow,
}

/// What a battery does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// It is being emptied.
    Discharging,
    /// It is being filled, or is full and rests.
    Charging,
    /// It does not tell.
    Unknown,
}

/// Whether there is power enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Supply {
    /// Mains, or a machine without a battery of its own.
    #[default]
    Mains,
    /// On the battery, and it is good.
    Battery,
    /// On the battery, and it is time to plug in.
    Low,
    /// On the battery, and it is time to end: what is open is to be saved, nothing begun.
    Critical,
}

impl PowerWatch {
    /// Watches `/sys/class/power_supply`.
    pub fn new(limits: PowerLimits) -> Self {
        Self::over("/sys/class/power_supply", limits)
    }

    /// Watches another folder.
    pub fn over(root: impl Into<PathBuf>, limits: PowerLimits) -> Self {
        let (root, supply) = (root.into(), Supply::Mains);
        Self { root, limits, supply, was_critical: false }
    }

    /// Looks at the power.
    pub fn look(&mut self) -> PowerReport {
        let supplies = read_supplies(&self.root);
        let mains = supplies.iter().filter_map(|s| s.is_online).reduce(|a, b| a || b);
        let battery = supplies.iter().filter_map(|s| s.battery).reduce(fuller);
        self.supply = self.judge(mains, battery);
        PowerReport { mains, battery, supply: self.supply }
    }

    fn judge(&mut self, mains: Option<bool>, battery: Option<Battery>) -> Supply {
        let Some(battery) = battery else {
            self.was_critical = false;
            return Supply::Mains;
        };
        // A weak adapter does not feed the machine: the battery empties while it is plugged.
        let is_fed = match battery.flow {
            Flow::Charging => true,
            Flow::Discharging => false,
            Flow::Unknown => mains.unwrap_or(true),
        };
        if is_fed {
            self.was_critical = false;
            return Supply::Mains;
        }
        let level = battery.percent.map_or(Supply::Battery, |percent| self.level(percent));
        // Gauges say zero for a moment when a plug is pulled.
        let is_sure = self.was_critical || self.supply == Supply::Critical;
        self.was_critical = level == Supply::Critical;
        match level {
            Supply::Critical if !is_sure => self.supply.max(Supply::Battery),
            level => level,
        }
    }

    fn level(&self, percent: u8) -> Supply {
        let limit = |limit: u8, level: Supply| {
            let margin = if self.supply >= level { self.limits.margin } else { 0 };
            percent <= limit.saturating_add(margin)
        };
        if limit(self.limits.critical, Supply::Critical) {
            Supply::Critical
        } else if limit(self.limits.low, Supply::Low) {
            Supply::Low
        } else {
            Supply::Battery
        }
    }
}

impl Default for PowerLimits {
    /// Low at 20 %, critical at 8 %: enough for an old battery to seal a visit.
    fn default() -> Self {
        Self { low: 20, critical: 8, margin: 4 }
    }
}

impl Supply {
    /// A stable name for messages, logs and support.
    pub fn code(self) -> &'static str {
        match self {
            Self::Mains => "power-mains",
            Self::Battery => "power-battery",
            Self::Low => "power-battery-low",
            Self::Critical => "power-battery-critical",
        }
    }
}

/// One entry of the kernel's folder.
#[derive(Debug, Default)]
struct Entry {
    is_online: Option<bool>,
    battery: Option<Battery>,
}

fn read_supplies(root: &Path) -> Vec<Entry> {
    let folders = fs::read_dir(root).into_iter().flatten().flatten();
    folders.filter_map(|folder| read_supply(&folder.path())).collect()
}

fn read_supply(folder: &Path) -> Option<Entry> {
    let read = |file: &str| Some(fs::read_to_string(folder.join(file)).ok()?.trim().to_owned());
    // The battery of a mouse is none of ours.
    if read("scope").is_some_and(|scope| scope == "Device") {
        return None;
    }
    match read("type")?.as_str() {
        "Mains" | "USB" | "Wireless" => {
            Some(Entry { is_online: read("online").map(|online| online != "0"), battery: None })
        }
        "Battery" | "UPS" if read("present").is_none_or(|present| present != "0") => {
            let percent = charge(&read);
            let flow = match read("status").as_deref() {
                Some("Discharging") => Flow::Discharging,
                Some("Charging" | "Full" | "Not charging") => Flow::Charging,
                _ => Flow::Unknown,
            };
            Some(Entry { is_online: None, battery: Some(Battery { percent, flow }) })
        }
        _ => None,
    }
}

/// How full a battery is, by whatever its gauge gives.
fn charge(read: &impl Fn(&str) -> Option<String>) -> Option<u8> {
    let number = |file: &str| read(file)?.parse::<u64>().ok();
    if let Some(percent) = number("capacity") {
        return Some(percent.min(100) as u8);
    }
    for (now, full) in [("energy_now", "energy_full"), ("charge_now", "charge_full")] {
        if let (Some(now), Some(full)) = (number(now), number(full).filter(|full| *full > 0)) {
            return Some((now.saturating_mul(100) / full).min(100) as u8);
        }
    }
    match read("capacity_level")?.as_str() {
        "Full" => Some(100),
        "High" => Some(80),
        "Normal" => Some(50),
        "Low" => Some(15),
        "Critical" => Some(5),
        _ => None,
    }
}

/// Of several batteries the fuller one counts: the machine runs on it last.
fn fuller(a: Battery, b: Battery) -> Battery {
    let flow = match (a.flow, b.flow) {
        (Flow::Discharging, _) | (_, Flow::Discharging) => Flow::Discharging,
        (Flow::Charging, _) | (_, Flow::Charging) => Flow::Charging,
        _ => Flow::Unknown,
    };
    Battery { percent: a.percent.max(b.percent), flow }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_battery_that_empties_and_is_filled_again_tells_each_level_once() {
        let story = "
            Charging 90, Discharging 60, Discharging 21, Discharging 20, Discharging 22,
            Discharging 25, Discharging 19, Discharging 8, Discharging 8, Discharging 11,
            Discharging 12, Discharging 13, Charging 9, Discharging 10";
        expect![[r#"
            Charging 90     power-mains
            Discharging 60  power-battery
            Discharging 21  power-battery
            Discharging 20  power-battery-low
            Discharging 22  power-battery-low
            Discharging 25  power-battery
            Discharging 19  power-battery-low
            Discharging 8   power-battery-low
            Discharging 8   power-battery-critical
            Discharging 11  power-battery-critical
            Discharging 12  power-battery-critical
            Discharging 13  power-battery-low
            Charging 9      power-mains
            Discharging 10  power-battery-low
        "#]]
        .assert_eq(&tell(story));
    }

    /// For every fault of gauge and plug: what is told, and whether all is well once it is over.
    #[test]
    fn every_fault_of_the_power_is_survived() {
        let mut table =
            format!("{:<30}{:<10}{:<10}{:<24}recovered\n", "power", "mains", "percent", "told");
        for (fault, files) in FAULTS {
            let root = tempfile::tempdir().unwrap();
            write(root.path(), files);
            let mut watch = PowerWatch::over(root.path(), PowerLimits::default());
            watch.look();
            let report = watch.look();
            let mains = report.mains.map_or("-", |mains| if mains { "yes" } else { "no" });
            let percent = report.battery.and_then(|battery| battery.percent);
            let percent = percent.map_or("-".into(), |percent| percent.to_string());
            let told = report.supply.code();
            fs::remove_dir_all(root.path()).unwrap();
            write(root.path(), PLUGGED);
            let recovered = if watch.look().supply.code() == "power-mains" { "yes" } else { "no" };
            table.push_str(&format!("{fault:<30}{mains:<10}{percent:<10}{told:<24}{recovered}\n"));
        }
        crate::show(&table);
        expect![[r#"
            power                         mains     percent   told                    recovered
            no battery, no gauge          -         -         power-mains             yes
            plugged                       yes       80        power-mains             yes
            pulled                        no        80        power-battery           yes
            adapter too weak              yes       15        power-battery-low       yes
            gauge without percent         no        5         power-battery-critical  yes
            gauge with words only         no        15        power-battery-low       yes
            gauge tells nonsense          no        100       power-battery           yes
            gauge tells nothing           no        -         power-battery           yes
            battery taken out             yes       -         power-mains             yes
            battery of a mouse            -         -         power-mains             yes
            two batteries, one empty      no        70        power-battery           yes
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn one_wild_reading_ends_nothing() {
        let told = tell("Discharging 60, Discharging 0, Discharging 59");
        assert!(!told.contains("critical"), "{told}");
    }

    type Files = &'static [(&'static str, &'static str)];

    const PLUGGED: Files = &[
        ("AC/type", "Mains"),
        ("AC/online", "1"),
        ("B/type", "Battery"),
        ("B/status", "Full"),
        ("B/capacity", "80"),
    ];
    const FAULTS: &[(&str, Files)] = &[
        ("no battery, no gauge", &[]),
        ("plugged", PLUGGED),
        (
            "pulled",
            &[
                ("AC/type", "Mains"),
                ("AC/online", "0"),
                ("B/type", "Battery"),
                ("B/status", "Discharging"),
                ("B/capacity", "80"),
            ],
        ),
        (
            "adapter too weak",
            &[
                ("AC/type", "USB"),
                ("AC/online", "1"),
                ("B/type", "Battery"),
                ("B/status", "Discharging"),
                ("B/capacity", "15"),
            ],
        ),
        (
            "gauge without percent",
            &[
                ("AC/type", "Mains"),
                ("AC/online", "0"),
                ("B/type", "Battery"),
                ("B/status", "Discharging"),
                ("B/charge_now", "50"),
                ("B/charge_full", "1000"),
            ],
        ),
        (
            "gauge with words only",
            &[
                ("AC/type", "Mains"),
                ("AC/online", "0"),
                ("B/type", "Battery"),
                ("B/status", "Unknown"),
                ("B/capacity_level", "Low"),
            ],
        ),
        (
            "gauge tells nonsense",
            &[
                ("AC/type", "Mains"),
                ("AC/online", "0"),
                ("B/type", "Battery"),
                ("B/status", "Discharging"),
                ("B/capacity", "65535"),
            ],
        ),
        (
            "gauge tells nothing",
            &[
                ("AC/type", "Mains"),
                ("AC/online", "0"),
                ("B/type", "Battery"),
                ("B/status", "Discharging"),
            ],
        ),
        (
            "battery taken out",
            &[
                ("AC/type", "Mains"),
                ("AC/online", "1"),
                ("B/type", "Battery"),
                ("B/present", "0"),
                ("B/capacity", "0"),
            ],
        ),
        (
            "battery of a mouse",
            &[
                ("M/type", "Battery"),
                ("M/scope", "Device"),
                ("M/status", "Discharging"),
                ("M/capacity", "3"),
            ],
        ),
        (
            "two batteries, one empty",
            &[
                ("AC/type", "Mains"),
                ("AC/online", "0"),
                ("B0/type", "Battery"),
                ("B0/status", "Unknown"),
                ("B0/capacity", "2"),
                ("B1/type", "Battery"),
                ("B1/status", "Discharging"),
                ("B1/capacity", "70"),
            ],
        ),
    ];

    fn write(root: &Path, files: Files) {
        for (name, value) in files {
            let file = root.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, format!("{value}\n")).unwrap();
        }
    }

    /// Looks once at each state of `STATUS PERCENT`.
    fn tell(story: &str) -> String {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("battery");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("type"), "Battery\n").unwrap();
        let mut watch = PowerWatch::over(root.path(), PowerLimits::default());
        let mut told = String::new();
        for state in story.split(',').map(str::trim) {
            let (status, percent) = state.rsplit_once(' ').unwrap();
            fs::write(folder.join("status"), status).unwrap();
            fs::write(folder.join("capacity"), percent).unwrap();
            told.push_str(&format!("{state:<16}{}\n", watch.look().supply.code()));
        }
        told
    }
}
