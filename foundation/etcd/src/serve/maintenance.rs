//! Status, defragmentation, alarms and members over gRPC.
use super::Served;
use crate::replica::{self, Situation};
use tonic::{Request, Response, Status, async_trait};
use wire::etcd::etcdserverpb::alarm_request::AlarmAction;
use wire::etcd::etcdserverpb::cluster_server::Cluster;
use wire::etcd::etcdserverpb::maintenance_server::Maintenance;
use wire::etcd::etcdserverpb::{
    AlarmMember, AlarmRequest, AlarmResponse, AlarmType, DefragmentRequest, DefragmentResponse, Member,
    MemberListRequest, MemberListResponse, StatusRequest, StatusResponse,
};

/// The version of etcd whose API this is.
const VERSION: &str = "3.5.30";

#[async_trait]
impl Maintenance for Served {
    async fn alarm(&self, request: Request<AlarmRequest>) -> Result<Response<AlarmResponse>, Status> {
        let request = request.into_inner();
        let member_id = self.store.now().member_id;
        let is_meant = [0, member_id].contains(&request.member_id) && request.alarm() != AlarmType::Corrupt;
        let alarm = AlarmMember { member_id, alarm: AlarmType::Nospace.into() };
        let alarms = if self.store.has_alarm() && is_meant { vec![alarm] } else { Vec::new() };
        match request.action() {
            AlarmAction::Get => {}
            AlarmAction::Deactivate if alarms.is_empty() => {}
            AlarmAction::Deactivate => drop(self.store.end_alarm().await?),
            AlarmAction::Activate => return Err(Status::unimplemented("alarms are raised by the store itself")),
        }
        Ok(Response::new(AlarmResponse { header: Some(self.store.now()), alarms }))
    }

    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let (header, sizes) = (self.store.now(), self.store.sizes());
        let index = header.revision.cast_unsigned();
        let alone = Situation { leader: header.member_id, term: header.raft_term, index, applied: index };
        let Situation { leader, term, index, applied } = self.store.situation().unwrap_or(alone);
        Ok(Response::new(StatusResponse {
            version: VERSION.to_owned(),
            db_size: sizes.file.cast_signed(),
            db_size_in_use: sizes.in_use.cast_signed(),
            leader,
            raft_index: index,
            raft_applied_index: applied,
            raft_term: term,
            errors: self.store.has_alarm().then(|| "etcdserver: no space".to_owned()).into_iter().collect(),
            is_learner: false,
            header: Some(header),
        }))
    }

    async fn defragment(&self, _: Request<DefragmentRequest>) -> Result<Response<DefragmentResponse>, Status> {
        let header = self.store.defragment().await?;
        Ok(Response::new(DefragmentResponse { header: Some(header) }))
    }
}

#[async_trait]
impl Cluster for Served {
    async fn member_list(&self, _: Request<MemberListRequest>) -> Result<Response<MemberListResponse>, Status> {
        let header = self.store.now();
        let mut own = Member {
            id: header.member_id,
            name: self.name.clone(),
            client_ur_ls: vec![format!("http://{}", self.address)],
            ..Member::default()
        };
        let mut members = Vec::new();
        if let Some(member) = self.store.member() {
            own.peer_ur_ls = vec![url(member.replica.members().own())];
            members.extend(member.replica.members().others().map(shown));
        }
        members.insert(0, own);
        Ok(Response::new(MemberListResponse { header: Some(header), members }))
    }
}

/// Where clients reach another member is not known here.
fn shown(member: &replica::Member) -> Member {
    Member { id: member.id, name: member.name.clone(), peer_ur_ls: vec![url(member)], ..Member::default() }
}

fn url(member: &replica::Member) -> String {
    format!("http://{}", member.address)
}
