//! Leases of a store.
use super::{Store, Way};
use crate::Error;
use crate::leases::chosen;
use crate::writer::Command;
use bytes::Bytes;
use redb::ReadableTable;
use wire::etcd::etcdserverpb::{LeaseGrantRequest, LeaseTimeToLiveResponse, ResponseHeader};
use wire::trilby::replication::v1::change::Change as Kind;

impl Store {
    /// Grants a lease; id 0 takes any. Returns the id and the seconds.
    ///
    /// # Errors
    /// An id that is taken, and a time that is too long.
    pub async fn lease_grant(&self, id: i64, seconds: i64) -> Result<(i64, i64), Error> {
        match &self.way {
            Way::Alone(_) => self.shared.leases.grant(id, seconds),
            Way::Replicated(member) => {
                let (id, seconds) = (chosen(id), seconds.max(1));
                member.change(Kind::Grant(LeaseGrantRequest { id, ttl: seconds })).await?;
                Ok((id, seconds))
            }
        }
    }

    /// Renews a lease; returns its seconds, none when it is gone.
    ///
    /// # Errors
    /// Most members of a cluster cannot be reached.
    pub async fn lease_renew(&self, id: i64) -> Result<Option<i64>, Error> {
        match &self.way {
            Way::Alone(_) => Ok(self.shared.leases.renew(id)),
            Way::Replicated(member) => Ok(member.lease(id, true).await?.map(|left| left.granted)),
        }
    }

    /// Ends a lease, and deletes what goes with it.
    ///
    /// # Errors
    /// No such lease, and a file that cannot be written.
    pub async fn lease_revoke(&self, id: i64) -> Result<ResponseHeader, Error> {
        self.done(|reply| Command::EndLease(id, reply), Kind::EndLease(id)).await
    }

    /// The leases there are.
    pub fn leases(&self) -> Vec<i64> {
        self.shared.leases.ids()
    }

    /// What is left of a lease, and its keys if they are wanted.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub async fn lease_left(&self, id: i64, keys: bool) -> Result<LeaseTimeToLiveResponse, Error> {
        let left = match &self.way {
            Way::Alone(_) => self.shared.leases.left(id),
            Way::Replicated(member) => member.lease(id, false).await?,
        };
        let header = Some(self.now());
        let Some(left) = left else {
            return Ok(LeaseTimeToLiveResponse { header, id, ttl: -1, ..LeaseTimeToLiveResponse::default() });
        };
        let keys = if keys { self.leased(id)? } else { Vec::new() };
        Ok(LeaseTimeToLiveResponse { header, id, ttl: left.remaining, granted_ttl: left.granted, keys })
    }

    fn leased(&self, id: i64) -> Result<Vec<Bytes>, Error> {
        self.shared.read(|snapshot| {
            let mut keys = Vec::new();
            for row in snapshot.leased.iter().map_err(Error::storage)? {
                let (key, lease) = row.map_err(Error::storage)?;
                if lease.value() == id {
                    keys.push(Bytes::copy_from_slice(key.value()));
                }
            }
            Ok(keys)
        })
    }
}
