//! Which subscriptions there shall be: those of resources and those that the app asks for (surface.md 3.4).
use crate::receiver::Receiver;
use crate::rules::{InvalidRule, Rules};
use component_api::Metadata;
use foundation_app::{Rule, Subscription};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A Subscription resource.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Name of the resource.
    pub name: String,
    pub subscription: Subscription,
}

/// Where a subscription comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Declarative,
    Programmatic,
    Streaming,
}

/// A subscription as the metadata API lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub pubsub: String,
    pub topic: String,
    pub metadata: Metadata,
    pub rules: Vec<Rule>,
    pub dead_letter_topic: String,
    pub kind: Kind,
}

impl Listed {
    fn new(subscription: &Subscription, kind: Kind) -> Self {
        let Subscription { pubsub, topic, dead_letter_topic, metadata, rules, .. } = subscription.clone();
        Self { pubsub, topic, metadata, rules, dead_letter_topic, kind }
    }
}

/// A subscription that shall be, with its rules compiled.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub kind: Kind,
    /// Whether it was brought to work, as far as that is possible; until then it is not listed.
    pub settled: bool,
    pub subscription: Subscription,
    pub rules: Rules,
}

impl Wish {
    pub(crate) fn new(kind: Kind, subscription: Subscription) -> Result<Self, InvalidRule> {
        let rules = Rules::compile(&subscription.rules)?;
        Ok(Self { kind, settled: kind != Kind::Declarative, subscription, rules })
    }

    fn listed(&self) -> Listed {
        Listed::new(&self.subscription, self.kind)
    }

    fn same_topic(&self, other: &Self) -> bool {
        let (one, other) = (&self.subscription, &other.subscription);
        one.pubsub == other.pubsub && one.topic == other.topic
    }
}

/// All that was asked for.
#[derive(Default)]
pub(crate) struct Wishes {
    /// By name of the resource, in the order they came.
    declared: Vec<(String, Wish)>,
    /// None until the app was asked.
    programmatic: Option<Vec<Wish>>,
    /// By number of the stream, with who gets the events.
    streams: BTreeMap<u64, (Wish, Arc<dyn Receiver>)>,
}

impl Wishes {
    /// Adds a resource, or replaces the one of that name.
    /// Whether it could be declared.
    pub(crate) fn check(declared: Declared) -> Result<(), InvalidRule> {
        Wish::new(Kind::Declarative, declared.subscription).map(drop)
    }

    pub(crate) fn declare(&mut self, declared: Declared) -> Result<(), InvalidRule> {
        let wish = Wish::new(Kind::Declarative, declared.subscription)?;
        self.undeclare(&declared.name);
        self.declared.push((declared.name, wish));
        Ok(())
    }

    pub(crate) fn undeclare(&mut self, name: &str) {
        self.declared.retain(|(known, _)| known != name);
    }

    /// Lists what was declared until now.
    pub(crate) fn settle(&mut self) {
        self.declared.iter_mut().for_each(|(_, wish)| wish.settled = true);
    }

    pub(crate) fn app_was_asked(&self) -> bool {
        self.programmatic.is_some()
    }

    /// What the app says; one wrong rule spoils all of it (surface.md 0.8).
    pub(crate) fn app_said(&mut self, subscriptions: Vec<Subscription>) -> Result<(), InvalidRule> {
        self.programmatic = Some(Vec::new());
        let wishes = subscriptions.into_iter().map(|one| Wish::new(Kind::Programmatic, one));
        self.programmatic = Some(wishes.collect::<Result<_, _>>()?);
        Ok(())
    }

    pub(crate) fn open_stream(&mut self, number: u64, wish: Wish, receiver: Arc<dyn Receiver>) {
        self.streams.insert(number, (wish, receiver));
    }

    pub(crate) fn close_stream(&mut self, number: u64) {
        self.streams.remove(&number);
    }

    pub(crate) fn streams(&self) -> Vec<(u64, Wish, Arc<dyn Receiver>)> {
        let streams = self.streams.iter();
        streams.map(|(number, (wish, receiver))| (*number, wish.clone(), Arc::clone(receiver))).collect()
    }

    /// All of them, as the metadata API lists them.
    pub(crate) fn listed(&self) -> Vec<Listed> {
        let streams = self.streams.values().map(|(wish, _)| wish);
        self.of_app().iter().chain(streams).filter(|wish| wish.settled).map(Wish::listed).collect()
    }

    /// One for each topic of the app: the first resource counts, and what the app says counts more.
    pub(crate) fn of_app(&self) -> Vec<Wish> {
        let mut all: Vec<Wish> = Vec::new();
        for (_, wish) in &self.declared {
            if !all.iter().any(|known| known.same_topic(wish)) {
                all.push(wish.clone());
            }
        }
        for wish in self.programmatic.iter().flatten() {
            match all.iter_mut().find(|known| known.same_topic(wish)) {
                Some(known) => *known = wish.clone(),
                None => all.push(wish.clone()),
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(topic: &str, path: &str) -> Subscription {
        let rules = vec![Rule { expression: None, path: path.to_owned() }];
        Subscription { pubsub: "broker".to_owned(), topic: topic.to_owned(), rules, ..Subscription::default() }
    }

    fn declared(name: &str, topic: &str, path: &str) -> Declared {
        Declared { name: name.to_owned(), subscription: subscription(topic, path) }
    }

    #[test]
    fn the_app_overrules_and_the_first_resource_wins() {
        let mut wishes = Wishes::default();
        for one in [declared("1", "a", "/first"), declared("2", "a", "/second"), declared("3", "b", "/resource")] {
            wishes.declare(one).unwrap();
        }
        wishes.app_said(vec![subscription("b", "/app"), subscription("c", "/own")]).unwrap();
        let all: Vec<_> =
            wishes.of_app().iter().map(|wish| (wish.kind, wish.subscription.rules[0].path.clone())).collect();
        let expected = [(Kind::Declarative, "/first"), (Kind::Programmatic, "/app"), (Kind::Programmatic, "/own")];
        assert_eq!(all, expected.map(|(kind, path)| (kind, path.to_owned())));
        wishes.undeclare("1");
        assert_eq!(wishes.of_app()[0].subscription.rules[0].path, "/second");
    }

    #[test]
    fn one_wrong_rule_spoils_what_the_app_says() {
        let mut wishes = Wishes::default();
        let mut broken = subscription("a", "/x");
        broken.rules[0].expression = Some("event.type ==".to_owned());
        assert!(wishes.app_said(vec![subscription("b", "/b"), broken]).is_err());
        assert!(wishes.app_was_asked() && wishes.of_app().is_empty());
    }
}
