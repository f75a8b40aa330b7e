//! What becomes of a root from its making to its end, and what an interruption leaves.
use super::*;
use foundation_identity::Trust;
use rcgen::{KeyPair, PKCS_ED25519};
use rustls_pki_types::CertificateDer;
use std::time::Duration;
use tempfile::TempDir;

const DAY: Duration = Duration::from_secs(24 * 3600);
const LIFETIMES: Lifetimes = Lifetimes { workload: DAY, skew: Duration::from_secs(900), root: DAY.saturating_mul(360) };

fn rotation() -> (TempDir, Rotation) {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::of_folder(folder.path());
    let sentry = "spiffe://localhost/ns/default/dapr-sentry".parse().unwrap();
    (folder, Rotation { files, sentry, lifetimes: LIFETIMES })
}

fn now() -> SystemTime {
    SystemTime::now()
}

/// A certificate that the credentials as they are now sign.
fn leaf(rotation: &Rotation) -> Vec<CertificateDer<'static>> {
    let credentials = rotation.files.read().unwrap().unwrap();
    let authority = crate::Authority::new(&credentials, LIFETIMES).unwrap();
    let app = "spiffe://public/ns/default/app".parse().unwrap();
    authority.sign(&KeyPair::generate_for(&PKCS_ED25519).unwrap(), &app, &[]).unwrap().chain
}

fn is_trusted(rotation: &Rotation, chain: &[CertificateDer<'static>]) -> bool {
    let ca = rotation.files.read().unwrap().unwrap().ca;
    Trust::from_pem(ca.as_bytes()).unwrap().client(&chain[0], &chain[1..]).is_ok()
}

fn roots(rotation: &Rotation) -> Vec<Root> {
    rotation.files.read().unwrap().unwrap().roots().unwrap()
}

#[test]
fn a_root_is_trusted_before_it_signs_and_as_long_as_its_certificates_live() {
    let (_folder, rotation) = rotation();
    // Both roots are good now.
    let start = now() - 332 * DAY;
    assert_eq!(rotation.load(start).unwrap().1, [Step::Made]);
    let (first, old) = (roots(&rotation), leaf(&rotation));
    assert!(rotation.advance(start + 239 * DAY).unwrap().is_empty());
    assert_eq!(rotation.advance(start + 241 * DAY).unwrap(), [Step::Announced]);
    assert_eq!(rotation.files.read().unwrap().unwrap().signing_root().unwrap(), first[0]);
    let both = roots(&rotation);
    assert_eq!((both.len(), &both[0]), (2, &first[0]));
    assert!(is_trusted(&rotation, &leaf(&rotation)));

    assert!(rotation.advance(start + 329 * DAY).unwrap().is_empty());
    assert_eq!(rotation.advance(start + 331 * DAY).unwrap(), [Step::Switched]);
    assert_eq!(rotation.files.read().unwrap().unwrap().signing_root().unwrap(), both[1]);
    let new = leaf(&rotation);
    assert!(is_trusted(&rotation, &old) && is_trusted(&rotation, &new));

    assert!(rotation.advance(start + 332 * DAY).unwrap().is_empty());
    assert_eq!(rotation.advance(start + 333 * DAY).unwrap(), [Step::Dropped]);
    assert_eq!(roots(&rotation), both[1..]);
    assert!(!is_trusted(&rotation, &old) && is_trusted(&rotation, &new));
    // The second one was made at the announcement.
    assert!(rotation.advance(start + 480 * DAY).unwrap().is_empty());
    assert_eq!(rotation.advance(start + 482 * DAY).unwrap(), [Step::Announced]);
}

#[test]
fn what_was_asleep_for_years_begins_anew() {
    let (_folder, rotation) = rotation();
    rotation.load(now() - 361 * DAY).unwrap();
    let first = roots(&rotation);
    let (credentials, steps) = rotation.load(now()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(steps, [Step::Announced, Step::Switched]);
    assert_ne!(credentials.signing_root().unwrap(), first[0]);
    assert_eq!(rotation.advance(now() + 2 * DAY).unwrap(), [Step::Dropped]);
    assert!(!roots(&rotation).contains(&first[0]));
}

#[test]
fn a_clock_that_was_far_ahead_leaves_credentials_that_are_good_when_it_is_right() {
    let (_folder, rotation) = rotation();
    rotation.load(now()).unwrap();
    let (first, old) = (roots(&rotation), leaf(&rotation));
    assert_eq!(rotation.load(now() + 400 * DAY).unwrap().1, [Step::Announced, Step::Switched]);
    let (credentials, steps) = rotation.load(now()).unwrap();
    assert!(steps.is_empty());
    credentials.check(&rotation.sentry, LIFETIMES).unwrap();
    assert!(credentials.roots().unwrap().contains(&first[0]));
    assert!(is_trusted(&rotation, &old) && is_trusted(&rotation, &leaf(&rotation)));
}

#[test]
fn credentials_that_are_made_at_the_beginning_of_time_are_good() {
    let (_folder, rotation) = rotation();
    assert_eq!(rotation.load(UNIX_EPOCH + DAY / 1000).unwrap().1, [Step::Made]);
}

#[test]
fn roots_of_others_are_replaced_only_when_asked() {
    let (_folder, rotation) = rotation();
    let theirs = Credentials::generate(&rotation.sentry, LIFETIMES, now()).unwrap();
    rotation.files.write(&theirs).unwrap();
    assert!(!rotation.is_automatic().unwrap());
    assert!(rotation.advance(now() + 359 * DAY).unwrap().is_empty());
    assert!(matches!(rotation.load(now() + 361 * DAY), Err(Error::Expired(_))));

    let ours = Credentials::generate(&rotation.sentry, LIFETIMES, now()).unwrap();
    assert_eq!(rotation.renew(&ours, true, now()).unwrap(), Step::Announced);
    assert!(matches!(rotation.renew(&ours, true, now()), Err(Error::Underway)));
    assert!(rotation.switches().unwrap().unwrap() <= now() + DAY);
    assert_eq!(rotation.advance(now() + 2 * DAY).unwrap(), [Step::Switched]);
    assert_eq!(rotation.advance(now() + 4 * DAY).unwrap(), [Step::Dropped]);
    assert!(rotation.is_automatic().unwrap());
    assert!(rotation.files.read().unwrap().unwrap() == ours);
}

#[test]
fn credentials_that_do_not_fit_together_replace_nothing() {
    let (_folder, rotation) = rotation();
    rotation.load(now()).unwrap();
    let [one, other] = [(); 2].map(|()| Credentials::generate(&rotation.sentry, LIFETIMES, now()).unwrap());
    let mixed = Credentials { issuer_key: other.issuer_key, ..one };
    assert!(rotation.renew(&mixed, false, now()).is_err());
    assert_eq!(roots(&rotation).len(), 1);
}

#[test]
fn an_interrupted_step_is_finished() {
    let (_folder, rotation) = rotation();
    let start = now();
    rotation.load(start).unwrap();
    let first = rotation.files.read().unwrap().unwrap();
    rotation.advance(start + 241 * DAY).unwrap();
    let (announced, next) = (rotation.files.read().unwrap().unwrap(), rotation.files.journal().unwrap().next.unwrap());

    // The root was written down and not published.
    files::write(&rotation.files.ca, &first.ca).unwrap();
    assert_eq!(rotation.load(start + 242 * DAY).unwrap().1, [Step::Announced]);
    assert!(rotation.files.read().unwrap().unwrap() == announced);

    let before = rotation.files.journal().unwrap();
    rotation.advance(start + 331 * DAY).unwrap();
    let (after, done) = (rotation.files.read().unwrap().unwrap(), rotation.files.journal().unwrap());
    let retiring = Journal { retiring: done.retiring.clone(), ..before };
    // The old root was written down, and of the issuer nothing, its key alone, or all of it was written.
    for (key, certificate) in [
        (&first.issuer_key, &first.issuer_certificate),
        (&next.issuer_key, &first.issuer_certificate),
        (&next.issuer_key, &next.issuer_certificate),
    ] {
        rotation.files.write_journal(&retiring).unwrap();
        files::write(&rotation.files.issuer_key, key).unwrap();
        files::write(&rotation.files.issuer_certificate, certificate).unwrap();
        assert_eq!(rotation.load(start + 331 * DAY).unwrap().1, [Step::Switched]);
        assert!(rotation.files.read().unwrap().unwrap() == after);
        assert!(rotation.files.journal().unwrap() == done);
    }
}

#[test]
fn a_root_that_signs_is_never_dropped() {
    let (_folder, rotation) = rotation();
    rotation.load(now()).unwrap();
    let signing = rotation.files.read().unwrap().unwrap().signing_root().unwrap();
    let mut journal = rotation.files.journal().unwrap();
    journal.retiring.push(Retiring { fingerprint: signing.fingerprint, until: UNIX_EPOCH });
    rotation.files.write_journal(&journal).unwrap();
    assert!(rotation.advance(now()).unwrap().is_empty());
}

#[test]
fn many_processes_make_one_root() {
    for _ in 0..20 {
        let (_folder, rotation) = rotation();
        let load = || rotation.load(now()).unwrap().0.ca;
        let all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(all.iter().all(|ca| *ca == all[0]));
    }
}

#[test]
fn files_that_are_not_to_be_written_are_not_touched() {
    let (folder, rotation) = rotation();
    rotation.load(now()).unwrap();
    let names = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["ca.crt", "issuer.crt", "issuer.key", "rotation.json", "rotation.lock"]);
    std::fs::remove_file(folder.path().join("rotation.lock")).unwrap();
    rotation.load(now()).unwrap();
    assert!(!names().contains(&"rotation.lock".to_owned()));
}

#[test]
fn who_reads_while_another_process_replaces_them_waits() {
    let (_folder, rotation) = rotation();
    rotation.load(now() - 241 * DAY).unwrap();
    rotation.load(now()).unwrap();
    let (before, next) = (rotation.files.read().unwrap().unwrap(), rotation.files.journal().unwrap().next.unwrap());
    let lock = rotation.files.lock(Duration::ZERO).unwrap();
    files::write(&rotation.files.issuer_key, &next.issuer_key).unwrap();
    assert!(rotation.present().is_err());
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| rotation.load(now()));
        files::write(&rotation.files.issuer_key, &before.issuer_key).unwrap();
        drop(lock);
        assert!(reading.join().unwrap().unwrap().0 == before);
    });
    assert!(rotation.present().unwrap() == before);
}

#[test]
fn the_first_writing_is_finished_when_it_was_interrupted() {
    let (_folder, rotation) = rotation();
    rotation.load(now()).unwrap();
    let whole = rotation.files.read().unwrap().unwrap();
    let journal = rotation.files.journal().unwrap();
    let begun = Journal { next: Some(next(&whole, now(), true).unwrap()), ..journal.clone() };
    for missing in [vec![&rotation.files.ca], vec![&rotation.files.ca, &rotation.files.issuer_certificate]] {
        rotation.files.write_journal(&begun).unwrap();
        missing.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        assert_eq!(rotation.load(now()).unwrap().1, [Step::Made]);
        assert!(rotation.files.read().unwrap().unwrap() == whole && rotation.files.journal().unwrap() == journal);
    }
    rotation.files.write_journal(&begun).unwrap();
    assert!(rotation.load(now()).unwrap().0 == whole && rotation.files.journal().unwrap() == journal);
}

#[test]
fn roots_that_were_lost_later_are_not_made_up() {
    let (_folder, rotation) = rotation();
    let start = now();
    rotation.load(start).unwrap();
    rotation.advance(start + 241 * DAY).unwrap();
    assert!(rotation.files.journal().unwrap().next.is_some());
    std::fs::remove_file(&rotation.files.ca).unwrap();
    assert!(matches!(rotation.load(start + 242 * DAY), Err(Error::Incomplete(_))));
}

#[test]
fn a_process_that_hangs_with_the_lock_holds_up_nobody() {
    let (_folder, rotation) = rotation();
    let start = now();
    rotation.load(start).unwrap();
    let _held = rotation.files.lock(Duration::ZERO).unwrap();
    assert!(rotation.present().is_ok());
    assert!(rotation.advance(start).unwrap().is_empty());
    assert!(matches!(rotation.advance(start + 241 * DAY), Err(Error::Locked(_))));
}

#[test]
fn an_issuer_that_has_ended_signs_nothing() {
    let (_folder, rotation) = rotation();
    let ended = Credentials::generate(&rotation.sentry, LIFETIMES, now() - 361 * DAY).unwrap();
    let authority = crate::Authority::new(&ended, LIFETIMES).unwrap();
    let app = "spiffe://public/ns/default/app".parse().unwrap();
    let signed = authority.sign(&KeyPair::generate_for(&PKCS_ED25519).unwrap(), &app, &[]);
    assert!(matches!(signed, Err(Error::Ended)));
}

#[test]
fn the_longest_certificate_of_all_sentries_is_waited_for() {
    let (_folder, long) = rotation();
    let short = Rotation { lifetimes: Lifetimes { workload: Duration::from_secs(3), ..LIFETIMES }, ..long.clone() };
    let start = now();
    long.load(start).unwrap();
    let with = Credentials::generate(&short.sentry, LIFETIMES, start).unwrap();
    short.renew(&with, true, start).unwrap();
    assert!(short.advance(start + DAY / 2).unwrap().is_empty());
    assert_eq!(short.advance(start + DAY).unwrap(), [Step::Switched]);
    assert!(short.advance(start + 2 * DAY).unwrap().is_empty());
    assert_eq!(short.advance(start + 2 * DAY + LIFETIMES.skew).unwrap(), [Step::Dropped]);
    // The new root has never seen a long one until its sentry is back.
    assert_eq!(short.files.journal().unwrap().longest, Some(Longest::of(short.lifetimes)));
    assert!(long.advance(start + 3 * DAY).unwrap().is_empty());
    assert_eq!(short.files.journal().unwrap().longest, Some(Longest::of(LIFETIMES)));
}

#[test]
fn a_step_that_cannot_be_taken_keeps_nobody_from_good_credentials() {
    let (folder, rotation) = rotation();
    let start = now();
    rotation.load(start).unwrap();
    let before = rotation.files.read().unwrap().unwrap();
    // Where a file is prepared there is something that cannot be removed like one.
    std::fs::create_dir(folder.path().join("rotation.json.new")).unwrap();
    let (credentials, steps) = rotation.load(start + 241 * DAY).unwrap();
    assert!(credentials == before && steps.is_empty());
    let ended = rotation.load(start + 361 * DAY);
    assert!(matches!(ended, Err(Error::Write { .. })));
}
