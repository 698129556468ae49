//! A schedule as a cron expression: minute, hour, day of the month, month, day of the week, in UTC.
//!
//! Days of month and week together mean either, as in Vixie cron; `L`, `#` and `@daily` are understood.

use base::Millis;
use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// A schedule.
#[derive(Clone, Debug)]
pub struct Schedule(Cron);

impl Schedule {
    /// The schedule that `text` means; `None` if it means nothing.
    pub fn parse(text: &[u8]) -> Option<Schedule> {
        let text = std::str::from_utf8(text).ok()?;
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed);
        parser.build().parse(text).ok().map(Schedule)
    }

    /// The first time behind `time`; `None` if there is none, or none for thousands of years.
    pub fn next_after(&self, time: Millis) -> Option<Millis> {
        let time = i64::try_from(time.0).ok()?;
        let time: DateTime<Utc> = DateTime::from_timestamp_millis(time)?;
        let next = self.0.find_next_occurrence(&time, false).ok()?;
        u64::try_from(next.timestamp_millis()).ok().map(Millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(text: &str, after: &str) -> String {
        let after = DateTime::parse_from_rfc3339(after).unwrap().timestamp_millis();
        let schedule = Schedule::parse(text.as_bytes()).unwrap();
        let next = schedule.next_after(Millis(u64::try_from(after).unwrap())).unwrap();
        let next = DateTime::from_timestamp_millis(i64::try_from(next.0).unwrap()).unwrap();
        next.format("%FT%T").to_string()
    }

    #[test]
    fn expressions_mean_what_crontab_says() {
        // 2024 is a leap year; 2024-02-28 is a Wednesday.
        let after = "2024-02-28T23:45:30.5Z";
        for (text, expected) in [
            ("* * * * *", "2024-02-28T23:46:00"),
            ("*/30 * * * *", "2024-02-29T00:00:00"),
            ("45 23 * * *", "2024-02-29T23:45:00"),
            ("0 3 * * 1-5", "2024-02-29T03:00:00"),
            ("0 3 * * sun", "2024-03-03T03:00:00"),
            ("0 3 * * 0", "2024-03-03T03:00:00"),
            ("0 3 * * 7", "2024-03-03T03:00:00"),
            ("15,45 0-6/2 1 1 *", "2025-01-01T00:15:00"),
            ("0 0 13 * 5", "2024-03-01T00:00:00"),
            ("0 0 29 2 *", "2024-02-29T00:00:00"),
            ("@daily", "2024-02-29T00:00:00"),
        ] {
            assert_eq!(next(text, after), expected, "{text}");
        }
        assert_eq!(next("0 0 29 2 *", "2024-02-29T00:00:00Z"), "2028-02-29T00:00:00");
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in [
            "",
            "x",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
        ] {
            assert!(Schedule::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Schedule::parse(b"\xff * * * *").is_none());
    }
}
