//! Candidates for one lease with networks that delay, lose and reorder: two never lead at the same true time.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use clusterbackup_core::lease::{Candidate, Claim, Record, Timing};
use proptest::prelude::*;

/// How long a candidate waits for an answer, in milliseconds: long enough to be caught by a late one.
const PATIENCE: u64 = 20_000;

#[derive(Debug, Clone)]
enum Request {
    Read,
    Write {
        base: Option<String>,
        holder: Option<String>,
    },
}

#[derive(Debug)]
enum Event {
    /// A candidate that waits for no answer does what it has to.
    Turn(usize),
    /// A request reaches the server.
    Arrival(usize, u64, Request),
    /// An answer reaches the candidate: what stands in the lease, and whether its write was accepted.
    Answer(usize, u64, Option<Record>, bool),
    /// A candidate gives an answer up.
    GiveUp(usize, u64),
}

struct Node {
    candidate: Candidate,
    /// What its clock shows at the beginning.
    origin: u64,
    /// The request that it waits for, and when that was sent by its clock.
    waits: Option<(u64, Duration)>,
    dead: bool,
}

struct Simulation {
    nodes: Vec<Node>,
    lease: Option<Record>,
    versions: u64,
    events: BTreeMap<(u64, u64), Event>,
    count: u64,
    delays: Box<dyn Iterator<Item = u64>>,
    /// Who led, each time that it changed.
    leaders: Vec<(u64, Option<usize>)>,
}

impl Simulation {
    fn new(origins: &[u64], delays: impl Iterator<Item = u64> + 'static) -> Self {
        let node = |(number, &origin): (usize, &u64)| Node {
            candidate: Candidate::new(
                format!("candidate-{number}"),
                Timing::DEFAULT,
                None,
                Duration::from_millis(origin),
            ),
            origin,
            waits: None,
            dead: false,
        };
        let mut simulation = Self {
            nodes: origins.iter().enumerate().map(node).collect(),
            lease: None,
            versions: 0,
            events: BTreeMap::new(),
            count: 0,
            delays: Box::new(delays),
            leaders: vec![(0, None)],
        };
        for number in 0..origins.len() {
            simulation.after(0, 0, Event::Turn(number));
        }
        simulation
    }

    fn after(&mut self, now: u64, delay: u64, event: Event) {
        self.count += 1;
        self.events.insert((now + delay, self.count), event);
    }

    fn delay(&mut self) -> u64 {
        self.delays.next().unwrap_or(1)
    }

    fn jittered(&mut self, pause: Duration) -> u64 {
        u64::try_from(pause.as_millis()).unwrap() + self.delay() % 500
    }

    fn clock(&self, number: usize, now: u64) -> Duration {
        Duration::from_millis(self.nodes[number].origin + now)
    }

    /// Runs until this moment; after each event at most one candidate believes that it leads.
    fn run(&mut self, until: u64) {
        while let Some(((now, count), event)) = self.events.pop_first() {
            if now > until {
                self.events.insert((now, count), event);
                return;
            }
            self.happen(now, event);
            let leaders: Vec<usize> = (0..self.nodes.len())
                .filter(|number| !self.nodes[*number].dead)
                .filter(|number| self.nodes[*number].candidate.leads(self.clock(*number, now)))
                .collect();
            assert!(leaders.len() < 2, "{leaders:?} lead at {now} ms");
            let leader = leaders.first().copied();
            if self.leaders.last().unwrap().1 != leader {
                self.leaders.push((now, leader));
            }
        }
    }

    fn happen(&mut self, now: u64, event: Event) {
        match event {
            Event::Turn(number) if self.nodes[number].waits.is_none() => self.turn(number, now),
            Event::Arrival(number, request, what) => {
                let accepted = self.serve(number, &what);
                let delay = self.delay();
                self.after(
                    now,
                    delay,
                    Event::Answer(number, request, self.lease.clone(), accepted),
                );
            }
            Event::Answer(number, request, lease, accepted) => {
                self.answer(number, request, lease, accepted, now);
            }
            Event::GiveUp(number, request) => {
                if self.nodes[number]
                    .waits
                    .is_some_and(|(waits, _)| waits == request)
                {
                    self.nodes[number].waits = None;
                    self.send(number, Request::Read, now);
                }
            }
            Event::Turn(_) => {}
        }
    }

    fn turn(&mut self, number: usize, now: u64) {
        let clock = self.clock(number, now);
        let Node { candidate, dead, .. } = &mut self.nodes[number];
        if *dead {
            return;
        }
        match candidate.decide(clock) {
            Claim::Hold(pause) => {
                let pause = self.jittered(pause);
                self.after(now, pause, Event::Turn(number));
            }
            Claim::Wait(pause) => {
                let pause = self.jittered(pause);
                self.send(number, Request::Read, now + pause);
            }
            Claim::Acquire | Claim::Renew => {
                let base = candidate.version().map(str::to_owned);
                let holder = Some(format!("candidate-{number}"));
                self.send(number, Request::Write { base, holder }, now);
            }
            Claim::Lost => {
                candidate.resign();
                self.send(number, Request::Read, now);
            }
        }
    }

    fn send(&mut self, number: usize, request: Request, now: u64) {
        let clock = self.clock(number, now);
        self.count += 1;
        let id = self.count;
        self.nodes[number].waits = Some((id, clock));
        let delay = self.delay();
        self.after(now, delay, Event::Arrival(number, id, request));
        self.after(now, PATIENCE, Event::GiveUp(number, id));
    }

    fn serve(&mut self, number: usize, request: &Request) -> bool {
        let Request::Write { base, holder } = request else {
            return false;
        };
        let version = self.lease.as_ref().map(|lease| lease.version.clone());
        if *base != version {
            return false;
        }
        assert_eq!(holder.as_deref(), Some(format!("candidate-{number}").as_str()));
        self.versions += 1;
        self.lease = Some(Record {
            holder: holder.clone(),
            version: self.versions.to_string(),
            duration: Timing::DEFAULT.lease,
        });
        true
    }

    fn answer(&mut self, number: usize, request: u64, lease: Option<Record>, accepted: bool, now: u64) {
        let clock = self.clock(number, now);
        let node = &mut self.nodes[number];
        let Some((_, sent)) = node.waits.take_if(|(waits, _)| *waits == request) else {
            return;
        };
        match lease {
            Some(record) if accepted => node.candidate.wrote(record, sent, clock),
            lease => node.candidate.observe(lease, clock),
        }
        self.turn(number, now);
    }
}

proptest! {
    #[test]
    fn two_candidates_never_lead_at_the_same_time(
        origins in prop::collection::vec(0_u64..1_000_000, 3),
        delays in prop::collection::vec(prop_oneof![1_u64..100, 1_u64..3000, 1_u64..40_000], 1..400),
        death in 0_u64..120_000,
    ) {
        let mut simulation = Simulation::new(&origins, delays.into_iter().cycle());
        simulation.run(death);
        if let Some((_, Some(leader))) = simulation.leaders.last() {
            let leader = *leader;
            simulation.nodes[leader].dead = true;
        }
        simulation.run(240_000);
    }
}

#[test]
fn when_the_leader_dies_another_leads_as_soon_as_the_lease_is_free() {
    let mut simulation = Simulation::new(&[7, 5_000_000], std::iter::repeat(10));
    simulation.run(60_000);
    let (since, leader) = *simulation.leaders.last().unwrap();
    assert!(leader.is_some() && since < 100, "{:?}", simulation.leaders);
    simulation.nodes[leader.unwrap()].dead = true;
    simulation.run(120_000);
    let (since, next) = *simulation.leaders.last().unwrap();
    assert!(next.is_some() && next != leader, "{:?}", simulation.leaders);
    assert!((73_000..78_000).contains(&since), "at {since} ms");
}
