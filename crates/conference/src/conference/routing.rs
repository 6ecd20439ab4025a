//! Routers of rooms on shards, and producers piped between them. Both are created when a transport
//! or consumer needs them. That does not wait for the reply, because a shard carries out commands
//! in order.

use std::sync::Arc;

use watersmeet_engine::command::{self, Command, ProducerId, RouterId};

use super::Conference;
use super::pending_commands::CommandPurpose;
use super::placement::RoomRouter;
use crate::message::{Refusal, ShardId};

impl Conference {
    /// Returns the router of a room on a shard, creating it when there is none.
    pub(super) fn router_for(
        &mut self,
        room: &Arc<str>,
        shard: ShardId,
    ) -> Result<RouterId, Refusal> {
        let found = self.rooms.get(room).ok_or(Refusal::Internal)?;
        let count = found.top_n_audio();
        if let Some(router) = self.placement.router_on(room, shard) {
            return Ok(router);
        }
        let router = RouterId::generate(&mut self.rng);
        let added = RoomRouter { id: router, shard };
        self.placement.add_router(room, added);
        let command = Command::CreateRouter {
            router,
            media_codecs: self.config.media_codecs.clone(),
        };
        let purpose = CommandPurpose::CreateRouter {
            room: Arc::clone(room),
            router,
        };
        self.request_command(None, shard, command, purpose);
        if count > 0 {
            self.send_command(shard, Command::LimitVoices { router, count });
        }
        Ok(router)
    }

    /// Pipes a producer to the shard where it is to be consumed, unless that shard has it already.
    pub(super) fn pipe_producer(
        &mut self,
        producer: ProducerId,
        shard: ShardId,
    ) -> Result<(), Refusal> {
        let room = self.media.producer_room(producer);
        let room = room.ok_or(Refusal::ProducerNotFound)?;
        let router = self.placement.router_on(&room, shard);
        let router = router.ok_or(Refusal::TransportNotFound)?;
        let Some(piped) = self.media.pipe_producer(producer, shard)? else {
            return Ok(());
        };
        let command = Command::CreatePipedProducer {
            router,
            producer,
            kind: piped.kind,
            consumable: piped.consumable,
            paused: piped.paused,
            is_screen: piped.is_screen,
            origin: piped.origin.0,
        };
        let router = RoomRouter { id: router, shard };
        let purpose = CommandPurpose::PipeProducer { producer, router };
        self.request_command(None, shard, command, purpose);
        Ok(())
    }

    /// Handles the reply to a command that no request asked for. After a failure, the next
    /// transport requests the router again, and the next consumer the pipe.
    pub(super) fn complete_unrequested(
        &mut self,
        purpose: CommandPurpose,
        result: Result<command::Reply, command::Refusal>,
    ) {
        if let CommandPurpose::ReadSilence { session } = purpose {
            return self.record_silence(session, result.ok());
        }
        let Err(refusal) = result else {
            return;
        };
        match purpose {
            CommandPurpose::CreateRouter { room, router } => {
                tracing::error!(%router, %refusal, "router not created");
                self.placement.remove_router(&room, router);
            }
            CommandPurpose::PipeProducer { producer, router }
                if refusal != command::Refusal::IdInUse =>
            {
                tracing::warn!(%producer, %refusal, "producer not piped to another shard");
                self.remove_pipe(producer, router);
            }
            _ => {}
        }
    }

    /// Reverts a command that no request asked for and that a shard has not replied to in time.
    pub(super) fn expire_unrequested(&mut self, purpose: CommandPurpose) {
        match purpose {
            CommandPurpose::CreateRouter { room, router } => {
                tracing::error!(%router, "router not created in time");
                if let Some(shard) = self.placement.shard_of_router(&room, router) {
                    self.send_command(shard, Command::CloseRouter { router });
                }
                self.placement.remove_router(&room, router);
            }
            CommandPurpose::PipeProducer { producer, router } => {
                tracing::warn!(%producer, "producer not piped to another shard in time");
                if self.remove_pipe(producer, router) {
                    self.send_command(router.shard, Command::CloseProducer { producer });
                }
            }
            CommandPurpose::ReadSilence { session } => self.record_silence(session, None),
            _ => {}
        }
    }

    /// Records that a producer is no longer piped to a router. Ignored when that router was lost
    /// and the room has a new one on its shard. Returns whether it was piped.
    fn remove_pipe(&mut self, producer: ProducerId, router: RoomRouter) -> bool {
        let room = self.media.producer_room(producer);
        let current = room.and_then(|it| self.placement.router_on(&it, router.shard));
        current == Some(router.id) && self.media.remove_pipe(producer, router.shard)
    }
}
