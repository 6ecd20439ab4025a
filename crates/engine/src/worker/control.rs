//! Carries out commands: each at once and completely, or not at all when it is refused.

use rand_chacha::rand_core::Rng as _;
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpCapabilities, RtpParameters};
use watersmeet_wire::units::Time;

use super::inbound::Inbound;
use super::outbound::Outbound;
use super::pipes::PipeRequest;
use super::transport_entry::TransportEntry;
use super::{
    CONSUMERS_PER_TRANSPORT_MAX, PRODUCERS_PER_TRANSPORT_MAX, ROUTERS_MAX, TRANSPORTS_MAX, Worker,
};
use crate::command::{
    Command, ConsumerId, DegradationPreference, Event, Layers, ProducerId, Refusal, Reply,
    RouterId, TransportId, TransportOptions,
};
use crate::consumer::{Consumer, ConsumerSetup};
use crate::ortc;
use crate::producer::{Origin, Producer};
use crate::remb::ReceiveEstimate;
use crate::router::Router;
use crate::rtp_listener::Conflict;
use crate::slots::{ConsumerKey, Key as _, ProducerKey, RouterKey, TransportKey};
use crate::ssrc_allocator::SsrcAllocator;
use crate::transport::{Transport, WebRtcTransport};
use crate::ufrag;

/// Fields of [`Command::Produce`].
struct ProduceRequest {
    transport: TransportId,
    producer: ProducerId,
    kind: MediaKind,
    rtp: RtpParameters,
    paused: bool,
    is_screen: bool,
}

/// Fields of [`Command::Consume`].
struct ConsumeRequest {
    transport: TransportId,
    consumer: ConsumerId,
    producer: ProducerId,
    capabilities: RtpCapabilities,
    paused: bool,
    preferred_layers: Option<Layers>,
    priority: u8,
    degradation_preference: DegradationPreference,
}

impl Worker {
    /// Carries out a command.
    ///
    /// # Errors
    /// The reason of the refusal; nothing has changed then.
    pub fn handle_command(&mut self, now: Time, command: Command) -> Result<Reply, Refusal> {
        match command {
            Command::CreateRouter {
                router,
                media_codecs,
            } => {
                let capabilities =
                    ortc::router_capabilities(&media_codecs).map_err(Refusal::bad_parameters)?;
                self.create_router(router, capabilities)
            }
            Command::CloseRouter { router } => {
                let key = self.router_key(router)?;
                self.close_router(now, key);
                Ok(Reply::Done)
            }
            Command::LimitVoices { router, count } => self.limit_voices(router, count),
            Command::CreateTransport {
                router,
                transport,
                options,
            } => self.create_transport(router, transport, &options),
            Command::ConnectTransport { transport, dtls } => {
                self.connect_transport(now, transport, &dtls)
            }
            Command::RestartIce { transport } => self.restart_ice(transport),
            Command::CloseTransport { transport } => {
                let key = self.transport_key(transport)?;
                self.close_transport(now, key, None);
                Ok(Reply::Done)
            }
            Command::Produce {
                transport,
                producer,
                kind,
                rtp,
                paused,
                is_screen,
            } => self.produce(
                now,
                ProduceRequest {
                    transport,
                    producer,
                    kind,
                    rtp,
                    paused,
                    is_screen,
                },
            ),
            Command::CreatePipedProducer {
                router,
                producer,
                kind,
                consumable,
                paused,
                is_screen,
                origin,
            } => self.create_piped_producer(PipeRequest {
                router,
                producer,
                kind,
                consumable: *consumable,
                paused,
                is_screen,
                origin,
            }),
            Command::PauseProducer { producer } => self.set_producer_paused(now, producer, true),
            Command::ResumeProducer { producer } => self.set_producer_paused(now, producer, false),
            Command::CloseProducer { producer } => {
                let key = self.producer_key(producer)?;
                self.close_producer(now, key, false);
                Ok(Reply::Done)
            }
            Command::Consume {
                transport,
                consumer,
                producer,
                capabilities,
                paused,
                preferred_layers,
                priority,
                degradation_preference,
            } => self.consume(
                now,
                ConsumeRequest {
                    transport,
                    consumer,
                    producer,
                    capabilities,
                    paused,
                    preferred_layers,
                    priority,
                    degradation_preference,
                },
            ),
            Command::PauseConsumer { consumer } => self.set_consumer_paused(now, consumer, true),
            Command::ResumeConsumer { consumer } => self.set_consumer_paused(now, consumer, false),
            Command::HoldConsumer { consumer, held } => self.hold_consumer(now, consumer, held),
            Command::CloseConsumer { consumer } => {
                let key = self.consumer_key(consumer)?;
                self.close_consumer(key);
                Ok(Reply::Done)
            }
            Command::SetPreferredLayers { consumer, layers } => {
                self.set_preferred_layers(now, consumer, layers)
            }
            Command::SetPriority { consumer, priority } => {
                self.set_priority(now, consumer, priority)
            }
            Command::RequestKeyframe { consumer } => {
                let key = self.consumer_key(consumer)?;
                self.request_keyframe(now, key);
                Ok(Reply::Done)
            }
            Command::TransportStats { transport } => {
                let stats = Self::transport_stats(now, self.transport_entry(transport)?);
                Ok(Reply::TransportStats(Box::new(stats)))
            }
            Command::TransportSilence { transport } => self.transport_silence(now, transport),
            Command::ProducerStats { producer } => {
                let key = self.producer_key(producer)?;
                let producer = self.producers.get_mut(key);
                let producer = producer.ok_or(Refusal::ProducerNotFound)?;
                Ok(Reply::ProducerStats(producer.stats(now)))
            }
            Command::ConsumerStats { consumer } => {
                let consumer = self.consumer_mut(consumer)?;
                Ok(Reply::ConsumerStats(Box::new(consumer.stats(now))))
            }
        }
    }

    fn create_router(
        &mut self,
        id: RouterId,
        capabilities: RtpCapabilities,
    ) -> Result<Reply, Refusal> {
        if self.router_keys.contains_key(&id) {
            return Err(Refusal::IdInUse);
        }
        if self.routers.len() >= ROUTERS_MAX {
            return Err(Refusal::LimitReached("routers"));
        }
        let key = self.routers.insert(Router::new(id, capabilities.clone()));
        self.router_keys.insert(id, key);
        Ok(Reply::Router { capabilities })
    }

    fn create_transport(
        &mut self,
        router: RouterId,
        id: TransportId,
        options: &TransportOptions,
    ) -> Result<Reply, Refusal> {
        let router_key = self.router_key(router)?;
        if self.transport_keys.contains_key(&id) {
            return Err(Refusal::IdInUse);
        }
        if self.transports.len() >= TRANSPORTS_MAX {
            return Err(Refusal::LimitReached("transports"));
        }
        let key = self.transports.next_key();
        let router = self
            .routers
            .get_mut(router_key)
            .ok_or(Refusal::RouterNotFound)?;
        let router_ticket = router.transports.push_back(key);
        let ufrag = ufrag::generate(self.shard, key.index(), &mut self.rng);
        let transport = WebRtcTransport::new(&self.settings, options, ufrag.clone(), &mut self.rng);
        let reply = Reply::Transport {
            ice: transport.ice_parameters(),
            candidates: transport.candidates(),
            dtls: transport.dtls_parameters(),
        };
        let transport = Transport::WebRtc(transport);
        let outbound = Outbound::new(SsrcAllocator::new(&mut self.rng));
        let rtp_bytes_max = options.incoming_bytes_max.unwrap_or(u64::MAX);
        let inbound = Inbound::new(ufrag::generate_letters(&mut self.rng), rtp_bytes_max);
        self.transports.insert(TransportEntry::new(
            id,
            router_key,
            router_ticket,
            transport,
            inbound,
            outbound,
        ));
        self.transport_keys.insert(id, key);
        self.demux.add_ufrag(ufrag, key);
        Ok(reply)
    }

    fn connect_transport(
        &mut self,
        now: Time,
        id: TransportId,
        dtls: &DtlsParameters,
    ) -> Result<Reply, Refusal> {
        let key = self.transport_key(id)?;
        let entry = self
            .transports
            .get_mut(key)
            .ok_or(Refusal::TransportNotFound)?;
        entry.transport.connect(now, dtls)?;
        self.apply_transport_events(now, key);
        Ok(Reply::Done)
    }

    fn restart_ice(&mut self, id: TransportId) -> Result<Reply, Refusal> {
        let key = self.transport_key(id)?;
        let ufrag = ufrag::generate(self.shard, key.index(), &mut self.rng);
        let entry = self
            .transports
            .get_mut(key)
            .ok_or(Refusal::TransportNotFound)?;
        let ice = entry.transport.restart_ice(ufrag.clone(), &mut self.rng);
        self.demux.add_ufrag(ufrag, key);
        Ok(Reply::IceRestarted { ice })
    }

    fn produce(&mut self, now: Time, request: ProduceRequest) -> Result<Reply, Refusal> {
        let ProduceRequest {
            transport,
            producer: id,
            kind,
            rtp,
            ..
        } = request;
        let transport_key = self.transport_key(transport)?;
        if self.producer_keys.contains_key(&id) {
            return Err(Refusal::IdInUse);
        }
        let entry = self
            .transports
            .get_mut(transport_key)
            .ok_or(Refusal::TransportNotFound)?;
        if entry.inbound.producers.len() >= PRODUCERS_PER_TRANSPORT_MAX {
            return Err(Refusal::LimitReached("producers on this transport"));
        }
        let router_key = entry.router;
        let router = self
            .routers
            .get_mut(router_key)
            .ok_or(Refusal::RouterNotFound)?;
        // The CNAME of the transport's first producer is given to all others.
        if let Some(cname) = rtp
            .rtcp
            .cname
            .as_ref()
            .filter(|_| entry.inbound.producers.is_empty())
        {
            entry.inbound.cname.clone_from(cname);
        }
        let cname = entry.inbound.cname.as_str();
        let capabilities = &router.capabilities;
        let negotiated = ortc::negotiate_producer(kind, rtp, cname, capabilities, &mut self.rng);
        let negotiated = negotiated.map_err(Refusal::bad_parameters)?;
        let key = self.producers.next_key();
        entry
            .inbound
            .rtp_listener
            .add(now, key, &negotiated.parameters)
            .map_err(conflict)?;
        let consumable = Box::new(negotiated.consumable.clone());
        let origin = Origin::Transport(transport_key);
        let mut producer = Producer::new(id, kind, negotiated, router_key, origin);
        producer.paused = request.paused;
        if request.is_screen {
            producer.mark_as_screen();
        }
        let feedback = producer.feedback;
        if feedback.remb && !feedback.transport_cc && entry.inbound.estimate.is_none() {
            let limit = entry.transport.options().max_incoming_bitrate;
            entry.inbound.estimate = Some(ReceiveEstimate::new(limit));
        }
        entry.inbound.producers.push(key);
        router.add_producer(key);
        self.producers.insert(producer);
        self.producer_keys.insert(id, key);
        self.update_demand(now, key);
        Ok(Reply::Producer { consumable })
    }

    fn set_producer_paused(
        &mut self,
        now: Time,
        id: ProducerId,
        paused: bool,
    ) -> Result<Reply, Refusal> {
        let key = self.producer_key(id)?;
        self.update_paused(now, key, paused);
        Ok(Reply::Done)
    }

    /// Pauses or resumes a producer, and notifies its consumers and the shards it is piped to.
    pub(super) fn update_paused(&mut self, now: Time, key: ProducerKey, paused: bool) {
        let Some(producer) = self.producers.get_mut(key) else {
            return;
        };
        if std::mem::replace(&mut producer.paused, paused) == paused {
            return;
        }
        if paused {
            self.remove_speaker(key);
        }
        self.send_producer_state(key, None);
        self.allocate_for_consumers_of(now, key);
        for consumer_key in self.consumers_of(key).to_vec() {
            let Some(consumer) = self.consumers.get_mut(consumer_key) else {
                continue;
            };
            let event = Event::ConsumerProducerPaused {
                consumer: consumer.id,
                paused,
            };
            if !paused {
                consumer.layers.restart();
            }
            self.report_event(event);
            if !paused {
                self.request_awaited_keyframe(now, consumer_key);
            }
        }
    }

    fn consume(&mut self, now: Time, request: ConsumeRequest) -> Result<Reply, Refusal> {
        let transport_key = self.transport_key(request.transport)?;
        let producer_key = self.producer_key(request.producer)?;
        if self.consumer_keys.contains_key(&request.consumer) {
            return Err(Refusal::IdInUse);
        }
        let entry = self
            .transports
            .get_mut(transport_key)
            .ok_or(Refusal::TransportNotFound)?;
        let producer = self.producers.get(producer_key);
        // A producer of another router is refused as if it did not exist.
        let producer = producer.filter(|producer| producer.router == entry.router);
        let producer = producer.ok_or(Refusal::ProducerNotFound)?;
        if entry.outbound.consumers.len() >= CONSUMERS_PER_TRANSPORT_MAX {
            return Err(Refusal::LimitReached("consumers on this transport"));
        }
        request
            .capabilities
            .validate()
            .map_err(Refusal::bad_parameters)?;
        if !ortc::can_consume(&producer.consumable, &request.capabilities) {
            return Err(Refusal::CannotConsume);
        }
        let ssrc = entry.outbound.ssrcs.allocate_pair();
        let ssrc = ssrc.ok_or(Refusal::LimitReached("SSRCs on this transport"))?;
        let rtp =
            ortc::consumer_parameters(&producer.consumable, &request.capabilities, true, ssrc);
        let mut rtp = rtp.map_err(|_| Refusal::CannotConsume)?;
        rtp.mid = Some(entry.outbound.allocate_mid());
        let reply = Reply::Consumer {
            kind: producer.kind,
            rtp: rtp.clone(),
            producer_paused: producer.paused,
            simulcast: producer.streams.len() > 1,
        };
        let key = self.consumers.next_key();
        let mut consumer = Consumer::new(ConsumerSetup {
            id: request.consumer,
            key,
            producer: producer_key,
            transport: transport_key,
            kind: producer.kind,
            rtp,
            layers: producer.structure(),
            is_screen: producer.is_screen(),
            preferred_layers: request.preferred_layers,
            priority: request.priority,
            degradation_preference: request.degradation_preference,
            paused: request.paused,
            // In the lower half, so that receivers detect the first wrap (RFC 3711 §3.3.1).
            first_seq: u16::try_from(self.rng.next_u32() & 0x7fff).unwrap_or(0),
        });
        let active = producer.activity.active();
        consumer.layers.set_active(active);
        consumer.set_connected(entry.outbound.is_open());
        entry.add_consumer(&consumer);
        if let Some(router) = self.routers.get_mut(producer.router) {
            router.add_consumer(producer_key, key);
        }
        self.consumers.insert(consumer);
        self.consumer_keys.insert(request.consumer, key);
        self.subscribe_if_first_consumer(now, producer_key);
        self.allocate_bandwidth(now, transport_key);
        self.request_awaited_keyframe(now, key);
        Ok(reply)
    }

    fn set_consumer_paused(
        &mut self,
        now: Time,
        id: ConsumerId,
        paused: bool,
    ) -> Result<Reply, Refusal> {
        let key = self.consumer_key(id)?;
        let consumer = self.consumer_mut(id)?;
        consumer.set_paused(paused);
        let is_held = consumer.held;
        let transport = consumer.transport;
        self.allocate_bandwidth(now, transport);
        self.request_awaited_keyframe(now, key);
        if is_held && !paused {
            self.report_layers(now, key);
        }
        Ok(Reply::Done)
    }

    /// Holds a consumer back, or lets it go on.
    fn hold_consumer(&mut self, now: Time, id: ConsumerId, held: bool) -> Result<Reply, Refusal> {
        let key = self.consumer_key(id)?;
        let consumer = self.consumer_mut(id)?;
        if consumer.held == held {
            return Ok(Reply::Done);
        }
        consumer.set_held(held);
        let (transport, is_paused) = (consumer.transport, consumer.paused);
        if held {
            self.withdraw_packets(transport, key);
            if !is_paused {
                self.report_layers(now, key);
            }
        }
        self.allocate_bandwidth(now, transport);
        self.request_awaited_keyframe(now, key);
        Ok(Reply::Done)
    }

    /// Forwards only the loudest voices of a router.
    fn limit_voices(&mut self, id: RouterId, count: u8) -> Result<Reply, Refusal> {
        let key = self.router_key(id)?;
        let router = self.routers.get_mut(key).ok_or(Refusal::RouterNotFound)?;
        if router.has_producers() {
            return Err(Refusal::bad_parameters(
                "voices are limited before the first producer",
            ));
        }
        router.limit_voices(count.into());
        Ok(Reply::Done)
    }

    fn set_preferred_layers(
        &mut self,
        now: Time,
        id: ConsumerId,
        layers: Layers,
    ) -> Result<Reply, Refusal> {
        let key = self.consumer_key(id)?;
        let producer = self.consumer_mut(id)?.producer;
        let producer = self.producers.get(producer);
        if producer.is_some_and(|producer| !producer.can_limit_to(layers)) {
            return Err(Refusal::bad_parameters(
                "the layers of this producer are forwarded all together",
            ));
        }
        let consumer = self.consumer_mut(id)?;
        consumer.layers.prefer(layers);
        let transport = consumer.transport;
        self.allocate_bandwidth(now, transport);
        self.request_awaited_keyframe(now, key);
        Ok(Reply::Done)
    }

    fn set_priority(&mut self, now: Time, id: ConsumerId, priority: u8) -> Result<Reply, Refusal> {
        let consumer = self.consumer_mut(id)?;
        consumer.priority = priority;
        let transport = consumer.transport;
        self.allocate_bandwidth(now, transport);
        Ok(Reply::Done)
    }

    pub(super) fn router_key(&self, id: RouterId) -> Result<RouterKey, Refusal> {
        self.router_keys
            .get(&id)
            .copied()
            .ok_or(Refusal::RouterNotFound)
    }

    fn transport_key(&self, id: TransportId) -> Result<TransportKey, Refusal> {
        self.transport_keys
            .get(&id)
            .copied()
            .ok_or(Refusal::TransportNotFound)
    }

    fn producer_key(&self, id: ProducerId) -> Result<ProducerKey, Refusal> {
        self.producer_keys
            .get(&id)
            .copied()
            .ok_or(Refusal::ProducerNotFound)
    }

    fn consumer_key(&self, id: ConsumerId) -> Result<ConsumerKey, Refusal> {
        self.consumer_keys
            .get(&id)
            .copied()
            .ok_or(Refusal::ConsumerNotFound)
    }

    pub(super) fn transport_entry(&self, id: TransportId) -> Result<&TransportEntry, Refusal> {
        let key = self.transport_key(id)?;
        self.transports.get(key).ok_or(Refusal::TransportNotFound)
    }

    fn consumer_mut(&mut self, id: ConsumerId) -> Result<&mut Consumer, Refusal> {
        let key = self.consumer_key(id)?;
        self.consumers.get_mut(key).ok_or(Refusal::ConsumerNotFound)
    }
}

fn conflict(conflict: Conflict) -> Refusal {
    match conflict {
        Conflict::Ssrc(ssrc) => {
            Refusal::bad_parameters(format_args!("SSRC {ssrc} is in use on this transport"))
        }
        Conflict::Mid => Refusal::bad_parameters("the MID is in use on this transport"),
        Conflict::TooMany => Refusal::LimitReached("SSRCs on this transport"),
        Conflict::Nameless => Refusal::bad_parameters("an SSRC, a MID or a RID is needed"),
    }
}
