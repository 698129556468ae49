//! The hello that sentinels publish on `__sentinel__:hello` of every instance:
//!
//! ```text
//! ip,port,runid,current_epoch,master_name,master_ip,master_port,master_config_epoch
//! ```
//!
//! Exactly eight tokens: stock ignores a hello with any other number, so nothing is added here.
//! What Redoubt nodes tell each other beyond it (group id, node id) is in INFO of the servers.

use crate::address::{Address, parse_host, parse_port};
use crate::config::text_number;
use base::RunId;

/// The channel hellos travel on.
pub const HELLO_CHANNEL: &str = "__sentinel__:hello";
/// The longest hello that is read, in bytes.
pub const HELLO_BYTES_MAX: usize = 1_024;

/// One hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Where its sender can be reached.
    pub sender: Address,
    /// Who sent it.
    pub id: RunId,
    /// The sender's current epoch.
    pub current_epoch: u64,
    /// The group it is about.
    pub group: String,
    /// The group's primary as the sender knows it.
    pub primary: Address,
    /// The epoch of that knowledge.
    pub config_epoch: u64,
}

impl Hello {
    /// The text to publish.
    pub fn to_text(&self) -> String {
        format!(
            "{},{},{},{},{},{},{},{}",
            self.sender.host,
            self.sender.port,
            self.id,
            self.current_epoch,
            self.group,
            self.primary.host,
            self.primary.port,
            self.config_epoch
        )
    }

    /// Reads a hello; `None` for anything malformed. `names` allows host names.
    pub fn parse(text: &[u8], names: bool) -> Option<Hello> {
        if text.len() > HELLO_BYTES_MAX {
            return None;
        }
        let tokens: Vec<&[u8]> = text.split(|&byte| byte == b',').collect();
        let &[ip, port, id, epoch, group, primary_ip, primary_port, config_epoch] =
            tokens.as_slice()
        else {
            return None;
        };
        Some(Hello {
            sender: Address::new(parse_host(ip, names)?, parse_port(port)?),
            id: RunId::parse(id)?,
            current_epoch: text_number(epoch)?,
            group: std::str::from_utf8(group).ok()?.to_owned(),
            primary: Address::new(parse_host(primary_ip, names)?, parse_port(primary_port)?),
            config_epoch: text_number(config_epoch)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: &str = "127.0.0.1,7104,6aece6c90e8228a0de7657afdc7a1d93446e15d0,3,mymaster,\
                         127.0.0.1,7101,2";

    #[test]
    fn what_stock_publishes_is_read_and_written_alike() {
        let hello = Hello::parse(STOCK.as_bytes(), false).unwrap();
        assert_eq!((hello.current_epoch, hello.config_epoch), (3, 2));
        assert_eq!(hello.primary, Address::new("127.0.0.1", 7101));
        assert_eq!(hello.to_text(), STOCK);
    }

    #[test]
    fn other_texts_are_refused() {
        let more = format!("{STOCK},x");
        let name = STOCK.replace("127.0.0.1", "localhost");
        for text in ["", "a,b", more.as_str(), &name, &STOCK.replace("7104", "99999")] {
            assert_eq!(Hello::parse(text.as_bytes(), false), None, "{text}");
        }
        assert!(Hello::parse(name.as_bytes(), true).is_some());
    }
}
