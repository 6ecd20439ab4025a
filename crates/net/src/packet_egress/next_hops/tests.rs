//! What is known of ways, against a scripted kernel.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use super::*;

const OURS: Mac = [2, 0, 0, 0, 0, 1];
const ROUTER: Mac = [2, 0, 0, 0, 0, 2];
const OTHER: Mac = [2, 0, 0, 0, 0, 3];
const ROUTER_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 254));
const DEVICE: u32 = 7;

/// A kernel with one router, behind which everything lies.
struct Script {
    route: Option<Route>,
    device: Option<Device>,
    neighbours: Vec<(u32, IpAddr, Neighbour)>,
    news: VecDeque<News>,
    questions: usize,
}

impl Kernel for Script {
    fn route(&mut self, _: IpAddr) -> Option<Route> {
        self.questions += 1;
        self.route
    }

    fn device(&mut self, _: u32) -> Option<Device> {
        self.device
    }

    fn neighbours(&mut self) -> Vec<(u32, IpAddr, Neighbour)> {
        self.neighbours.clone()
    }

    fn poll_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }
}

const fn neighbour(mac: Mac, is_stale: bool) -> Neighbour {
    Neighbour { mac, is_stale }
}

fn script() -> Script {
    Script {
        route: Some(Route {
            device: DEVICE,
            source: [10, 0, 0, 1].into(),
            next: ROUTER_IP,
            mtu: None,
        }),
        device: Some(Device {
            mac: Some(OURS),
            mtu: 1_500,
        }),
        neighbours: vec![(DEVICE, ROUTER_IP, neighbour(ROUTER, false))],
        news: VecDeque::new(),
        questions: 0,
    }
}

fn paths(now: Instant) -> Paths<Script> {
    let mut paths = Paths::new(script(), 5_000, 3, now);
    paths.begin_batch(now);
    paths
}

/// A destination of this number.
fn peer(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0xcb00_0000 + number).into()
}

impl Paths<Script> {
    /// The Ethernet address that a datagram to a peer is sent to, or why it is not.
    fn next(&mut self, number: u32) -> Result<Mac, FallbackReason> {
        let outgoing = self.choose(peer(number), 1, true)?;
        let mut frame = [0; 100];
        outgoing.template.write(&mut frame, 1, b"hello").unwrap();
        Ok(*frame.first_chunk().unwrap())
    }

    /// Lets the kernel tell something, and begins a batch that hears it.
    fn tell(&mut self, now: &mut Instant, news: News) {
        self.kernel.news.push_back(news);
        *now += NEWS_INTERVAL;
        self.begin_batch(*now);
    }
}

#[test]
fn an_answer_holds_for_its_lifetime_and_is_then_asked_for_again() {
    let start = Instant::now();
    let mut paths = paths(start);
    for _ in 0..3 {
        assert_eq!(paths.next(1), Ok(ROUTER));
    }
    paths.begin_batch(start + LIFETIME - Duration::from_millis(1));
    assert_eq!(paths.next(1), Ok(ROUTER));
    assert_eq!(paths.kernel.questions, 1);
    paths.kernel.route = None;
    paths.begin_batch(start + LIFETIME);
    assert_eq!(paths.next(1), Err(FallbackReason::Route));
    assert_eq!(paths.next(1), Err(FallbackReason::Route));
    assert_eq!(paths.kernel.questions, 2);
}

#[test]
fn one_batch_asks_only_so_much() {
    let start = Instant::now();
    let mut paths = paths(start);
    let most = u32::try_from(QUESTIONS_PER_BATCH_MAX).unwrap();
    for number in 0..most {
        assert_eq!(paths.next(number), Ok(ROUTER));
    }
    assert_eq!(paths.next(most), Err(FallbackReason::LookupLimit));
    paths.begin_batch(start);
    assert_eq!(paths.next(most), Ok(ROUTER));
    // Old answers serve while no more may be asked.
    paths.begin_batch(start + LIFETIME);
    for number in 0..=most {
        assert_eq!(paths.next(number), Ok(ROUTER));
    }
    assert_eq!(paths.kernel.questions, 2 * QUESTIONS_PER_BATCH_MAX + 1);
}

#[test]
fn changed_routes_make_answers_void_at_once() {
    let mut now = Instant::now();
    let mut paths = paths(now);
    let most = u32::try_from(QUESTIONS_PER_BATCH_MAX).unwrap();
    for number in 0..most {
        paths.next(number).unwrap();
    }
    paths.begin_batch(now);
    paths.next(most).unwrap();
    let other = IpAddr::from([10, 0, 0, 253]);
    paths.tell(
        &mut now,
        News::Neighbour(DEVICE, other, Some(neighbour(OTHER, false))),
    );
    paths.kernel.route.as_mut().unwrap().next = other;
    paths.tell(&mut now, News::Routes);
    for number in 0..most {
        assert_eq!(paths.next(number), Ok(OTHER));
    }
    assert_eq!(
        paths.next(most),
        Err(FallbackReason::LookupLimit),
        "it may lead nowhere now"
    );
}

#[test]
fn a_neighbour_is_followed_without_a_question() {
    let mut now = Instant::now();
    let mut paths = paths(now);
    assert_eq!(paths.next(1), Ok(ROUTER));
    paths.tell(
        &mut now,
        News::Neighbour(DEVICE, ROUTER_IP, Some(neighbour(OTHER, false))),
    );
    assert_eq!(paths.next(1), Ok(OTHER));
    paths.tell(&mut now, News::Neighbour(DEVICE, ROUTER_IP, None));
    assert_eq!(paths.next(1), Err(FallbackReason::Neighbour));
    paths.tell(
        &mut now,
        News::Neighbour(DEVICE + 1, ROUTER_IP, Some(neighbour(OTHER, false))),
    );
    assert_eq!(paths.next(1), Err(FallbackReason::Neighbour));
    paths.tell(
        &mut now,
        News::Neighbour(DEVICE, ROUTER_IP, Some(neighbour(ROUTER, false))),
    );
    assert_eq!(paths.next(1), Ok(ROUTER));
    assert_eq!(paths.kernel.questions, 1);
}

#[test]
fn news_are_read_after_a_while_and_so_many_at_a_time() {
    let start = Instant::now();
    let mut paths = paths(start);
    for _ in 0..=NEWS_PER_TURN_MAX {
        paths.kernel.news.push_back(News::Routes);
    }
    paths.begin_batch(start + NEWS_INTERVAL - Duration::from_millis(1));
    assert_eq!(paths.kernel.news.len(), NEWS_PER_TURN_MAX + 1);
    paths.begin_batch(start + NEWS_INTERVAL);
    assert_eq!(paths.kernel.news.len(), 1);
    paths.begin_batch(start + NEWS_INTERVAL);
    assert_eq!(paths.kernel.news.len(), 0);
}

#[test]
fn a_device_that_is_down_or_no_ethernet_is_not_used() {
    let mut now = Instant::now();
    let mut paths = paths(now);
    assert_eq!(paths.next(1), Ok(ROUTER));
    let down = Device {
        mac: None,
        mtu: 1_500,
    };
    paths.tell(&mut now, News::Device(DEVICE, Some(down)));
    assert_eq!(paths.next(1), Err(FallbackReason::Device));
    paths.tell(&mut now, News::Device(DEVICE, script().device));
    assert_eq!(paths.next(1), Ok(ROUTER));
    paths.tell(&mut now, News::Device(DEVICE, None));
    assert_eq!(paths.next(1), Err(FallbackReason::Device));
}

#[test]
fn the_longest_datagram_is_what_device_route_and_ring_carry() {
    for (device, route, longest) in [
        (1_500, None, 1_472),
        (1_500, Some(1_400), 1_372),
        (1_500, Some(9_000), 1_472),
        (9_000, None, FRAME_LEN_MAX - 14 - 28),
        (10, None, 0),
    ] {
        let now = Instant::now();
        let mut kernel = script();
        kernel.device.as_mut().unwrap().mtu = device;
        kernel.route.as_mut().unwrap().mtu = route;
        let mut paths = Paths::new(kernel, 5_000, 3, now);
        paths.begin_batch(now);
        let outgoing = paths.choose(peer(1), 1, true).unwrap();
        assert_eq!(outgoing.datagram_len_max, longest);
        assert_eq!(outgoing.device, DEVICE);
    }
}

#[test]
fn lost_news_have_everything_asked_anew() {
    let mut now = Instant::now();
    let mut paths = paths(now);
    assert_eq!(paths.next(1), Ok(ROUTER));
    paths.kernel.neighbours = vec![(DEVICE, ROUTER_IP, neighbour(OTHER, false))];
    paths.tell(&mut now, News::Lost);
    assert_eq!(paths.next(1), Ok(OTHER));
    assert_eq!(paths.kernel.questions, 2);
    paths.kernel.neighbours.clear();
    paths.kernel.device = None;
    paths.tell(&mut now, News::Lost);
    assert_eq!(paths.next(1), Err(FallbackReason::Device));
}

#[test]
fn a_neighbour_that_is_stale_is_checked_once_in_a_while_whoever_is_behind_it() {
    let mut now = Instant::now();
    let mut paths = paths(now);
    paths.tell(
        &mut now,
        News::Neighbour(DEVICE, ROUTER_IP, Some(neighbour(ROUTER, true))),
    );
    assert_eq!(paths.next(1), Err(FallbackReason::StaleNeighbour));
    assert_eq!(
        paths.next(1),
        Err(FallbackReason::StaleNeighbour),
        "a batch goes one way"
    );
    assert_eq!(paths.next(2), Ok(ROUTER));
    paths.begin_batch(now);
    assert_eq!(paths.next(1), Ok(ROUTER));
    paths.begin_batch(now + CHECK_INTERVAL);
    assert_eq!(paths.next(2), Err(FallbackReason::StaleNeighbour));
    assert_eq!(paths.next(1), Ok(ROUTER));
}

#[test]
fn the_way_follows_the_mean_run_and_never_changes_within_a_batch() {
    let now = Instant::now();
    let mut paths = paths(now);
    let runs = |paths: &mut Paths<Script>, len: usize, batches: usize| {
        let mut ways = Vec::new();
        for _ in 0..batches {
            paths.begin_batch(now);
            let way = paths.choose(peer(1), len, true).map(|_| ());
            for _ in 0..20 {
                let next = paths.choose(peer(1), len, true).map(|_| ());
                assert_eq!(next, way);
            }
            ways.push(way.err());
        }
        ways
    };
    assert_eq!(runs(&mut paths, 1, 3), [None; 3]);
    assert_eq!(runs(&mut paths, 2, 3), [None; 3]);
    assert_eq!(
        runs(&mut paths, 8, 3),
        [
            None,
            Some(FallbackReason::LongRun),
            Some(FallbackReason::LongRun)
        ]
    );
    // Runs of 3 alone do not change the way back; runs of 1 do.
    assert_eq!(runs(&mut paths, 3, 3), [Some(FallbackReason::LongRun); 3]);
    assert_eq!(runs(&mut paths, 1, 3).last(), Some(&None));
    // A stack that takes no runs is no cheaper for them.
    paths.begin_batch(now);
    for _ in 0..100 {
        assert!(paths.choose(peer(2), 40, false).is_ok());
        paths.begin_batch(now);
    }
}

#[test]
fn so_many_destinations_are_known_and_those_not_in_use_make_room() {
    let start = Instant::now();
    let mut paths = paths(start);
    let most = u32::try_from(DESTINATIONS_MAX).unwrap();
    for number in 0..most {
        paths.begin_batch(start);
        assert_eq!(paths.next(number), Ok(ROUTER));
    }
    paths.begin_batch(start);
    let questions = paths.kernel.questions;
    assert_eq!(paths.next(most), Err(FallbackReason::LookupLimit));
    assert_eq!(
        (paths.destinations.len(), paths.kernel.questions),
        (DESTINATIONS_MAX, questions)
    );
    let later = start + 2 * LIFETIME;
    paths.begin_batch(later);
    assert_eq!(paths.next(0), Ok(ROUTER));
    assert_eq!(paths.next(most), Ok(ROUTER));
    assert_eq!(paths.destinations.len(), 2);
}

#[test]
fn so_many_neighbours_and_devices_are_known() {
    let mut now = Instant::now();
    let mut paths = paths(now);
    for number in 0..u32::try_from(NEIGHBOURS_MAX).unwrap() + 10 {
        let news = News::Neighbour(DEVICE, peer(number), Some(neighbour(OTHER, false)));
        paths.tell(&mut now, news);
    }
    assert_eq!(paths.neighbours.len(), NEIGHBOURS_MAX);
    paths.tell(
        &mut now,
        News::Neighbour(DEVICE, ROUTER_IP, Some(neighbour(OTHER, true))),
    );
    assert_eq!(
        paths.next(1),
        Err(FallbackReason::StaleNeighbour),
        "those that are known still change"
    );
    for number in 0..u32::try_from(DEVICES_MAX).unwrap() + 10 {
        paths.kernel.route.as_mut().unwrap().device = 100 + number;
        paths.tell(&mut now, News::Routes);
        assert_eq!(paths.next(1), Err(FallbackReason::Neighbour));
    }
    assert_eq!(paths.devices.len(), DEVICES_MAX);
}
