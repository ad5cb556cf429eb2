/// Two hundred comments: a short conversation on each task.
extension SeedData {
    /// How many comments the tasks have, in turn; ten rounds of twenty.
    private static let conversationLengths = [4, 6, 2, 5, 3]

    static let comments: [TaskComment] = {
        var comments: [TaskComment] = []
        for task in 1...tasks.count {
            let length = conversationLengths[(task - 1) % conversationLengths.count]
            let people = colleagues(of: task)
            for turn in 0..<length {
                let number = comments.count + 1
                // Two people take turns; the fourth remark is a third one's.
                let author = people[(task + (turn == 3 ? 2 : turn % 2)) % people.count]
                let partner = people[(task + (turn % 2 == 0 ? 1 : 0)) % people.count]
                let choices = phrases[min(turn, phrases.count - 1)]
                let text = choices[(task + turn * 3) % choices.count]
                    .replacing("{subject}", with: taskTexts[task - 1].subject)
                    .replacing("{name}", with: firstName(partner))
                let when = time(minutes: 60 + (task - 1) * 180 + 25 + turn * 95)
                comments.append(
                    TaskComment(
                        id: Int64(number), taskID: Int64(task), userID: author, body: capitalised(text),
                        createdAt: when, updatedAt: when))
            }
        }
        return comments
    }()

    /// What is said first, second, … in a conversation.
    private static let phrases: [[String]] = [
        [
            "I had a look at {subject} this morning. It is smaller than it sounds.",
            "{name}, can you tell me who decided about {subject} last time?",
            "Before I begin with {subject}: is there anything written down already?",
            "I would start with {subject} on Thursday, if nobody minds.",
            "Two people asked me about {subject} today, so it is not only us.",
            "What would be good enough here? I do not want to overdo {subject}.",
            "I put my notes on {subject} into the shared folder.",
        ],
        [
            "Thanks! I can take a part of it off you, {name}.",
            "There is a page from last year, but half of it is out of date.",
            "Good question. I will ask and tell you tomorrow.",
            "Please do. And keep {subject} simple, we can add to it later.",
            "I think the simple version is enough for now.",
            "That matches what I heard from the others.",
        ],
        [
            "Done so far: a first version. {name}, could you look over it?",
            "One thing is missing: we need a yes from finance before {subject} can go on.",
            "I tried it with three examples and two of them worked.",
            "This takes longer than I thought, I need until the end of the week.",
            "The first half is ready, the second waits for an answer from outside.",
        ],
        [
            "Just reading along: please tell the front desk before anything changes.",
            "We had the same with the other office. A phone call solved it.",
            "I have done this once before, ask me if you get stuck.",
            "Could we use the same approach for the other sites?",
            "Careful with the end of the month, everybody is busy then.",
        ],
        [
            "I looked over it: two small remarks, otherwise fine.",
            "The answer has come: we may go on.",
            "I changed the date after talking to {name}.",
            "Tried again today, and now all three examples work.",
        ],
        [
            "Perfect, thank you. I will close {subject} when the last check is through.",
            "Then let us keep it like this. Thanks, {name}!",
            "Good. I will tell the others on Monday.",
        ],
    ]

    private static func capitalised(_ text: String) -> String {
        text.prefix(1).uppercased() + text.dropFirst()
    }
}
