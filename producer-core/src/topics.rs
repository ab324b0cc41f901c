//! Which number has a topic, and what do frames to it begin with?

use alloc::vec::Vec;

use crate::error::ErrorKind;
use crate::groups::GroupId;
use crate::names::TopicName;
use crate::producer::Producer;
use crate::route::{Topic, TopicId};
use crate::time::Instant;

impl<T> Producer<T> {
    /// The number of a topic, with what frames of this group need.
    #[inline(always)] // Hot.
    pub(crate) fn topic(&mut self, name: &TopicName, group: GroupId) -> Result<TopicId, ErrorKind> {
        let id = match self.routes.topic_id(name) {
            Some(id) => id,
            None => self.new_topic(name)?,
        };
        if group != GroupId::default() {
            if self.groups.get(usize::from(group.0)).is_none_or(|group| !group.sends) {
                return Err(ErrorKind::Closed);
            }
            self.add_head(id, group);
        }
        Ok(id)
    }

    #[cold]
    fn new_topic(&mut self, name: &TopicName) -> Result<TopicId, ErrorKind> {
        if self.routes.topics.len() >= self.config.topics_max {
            return Err(ErrorKind::TooManyTopics);
        }
        let inside = self.config.in_namespace(name.as_str());
        let wire = TopicName::new(&inside).map_err(|problem| ErrorKind::TopicInNamespace {
            name: inside.into_owned(),
            problem,
        })?;
        let group = self.wire_group(GroupId::default());
        let head = self.templates.topic_head(&self.config, group, wire.as_str());
        let turn = self.random.next_u32() & 0x7FFF_FFFF;
        if self.poll_at == Instant::FAR {
            self.poll_at = self.now + self.config.route_poll;
            self.wake_by(self.poll_at);
        }
        Ok(self.routes.add_topic(Topic::new(name.clone(), wire, head, turn)))
    }

    /// Encodes what all frames of the topic share that are sent on behalf of a further group.
    #[cold]
    fn add_head(&mut self, id: TopicId, group: GroupId) {
        let heads = &self.routes.topic(id).more_heads;
        let at = usize::from(group.0) - 1;
        if heads.get(at).is_some_and(|head| !head.is_empty()) {
            return;
        }
        let topic = self.routes.topic(id).wire.as_str();
        let head = self.templates.topic_head(&self.config, self.wire_group(group), topic);
        let heads = &mut self.routes.topic_mut(id).more_heads;
        if heads.len() <= at {
            heads.resize_with(at + 1, Vec::new);
        }
        heads[at] = head;
    }
}
