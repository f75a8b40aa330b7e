//! Steps by the slots of a cluster that their keys are in.
use super::script::Step;
use redis::cluster_routing::Slot;

/// Groups of steps whose keys share a slot, each in the order of the steps.
pub(super) fn by_slot(steps: Vec<Step>) -> Vec<Vec<Step>> {
    let mut groups = Vec::<(Slot, Vec<Step>)>::new();
    for step in steps {
        let slot = Slot::for_key(step.key());
        match groups.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, group)) => group.push(step),
            None => groups.push((slot, vec![step])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
