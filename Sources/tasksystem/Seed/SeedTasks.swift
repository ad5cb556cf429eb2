/// Fifty tasks of three companies that move, sell and heal.
extension SeedData {
    /// Title, what colleagues call it for short, and why it has to be done.
    typealias TaskText = (title: String, subject: String, reason: String)

    static let tasks: [TaskItem] = taskTexts.enumerated().map { index, text in
        let number = index + 1
        // Tasks 13, 26 and 39 have nobody yet.
        let people = colleagues(of: number)
        let assignee = number % 13 == 0 ? nil : people[index * 5 % people.count]
        let status: TaskItem.Status =
            switch assignee == nil ? 1 : index % 10 {
            case 0, 4: .inProgress
            case 2, 6, 9: .done
            case 7: .blocked
            default: .open
            }
        let priority: TaskItem.Priority =
            switch index * 3 % 8 {
            case 0: .high
            case 1: .low
            case 5: .urgent
            default: .normal
            }
        let created = time(minutes: 60 + index * 180)
        let completed = status == .done ? time(minutes: 60 + index * 180 + 1500 + index * 7) : nil
        return TaskItem(
            id: Int64(number), title: text.title, description: text.reason, status: status, priority: priority,
            userID: assignee, creatorID: people[(index * 3 + 1) % people.count],
            dueOn: index % 4 == 3 ? nil : "2025-04-\(padded(1 + index * 11 % 28))", createdAt: created,
            updatedAt: completed ?? created, completedAt: completed)
    }

    /// The users of the organization whose task that is.
    static func colleagues(of task: Int) -> [Int64] {
        let organization: Int64 =
            switch task {
            case 1...10, 31...42: 1
            case 11...20, 43...46: 2
            default: 3
            }
        return users.filter { $0.organizationID == organization }.compactMap(\.id)
    }

    static let taskTexts: [TaskText] = [
        ("Fix login on the mobile app", "the login screen", "Two drivers cannot sign in after the last update."),
        ("Renew the certificate of the booking site", "the certificate", "It expires at the end of the month."),
        ("Write the onboarding guide for dispatchers", "the guide", "New people ask the same ten questions."),
        ("Move the price list to the new template", "the price list", "Sales sends three versions around."),
        (
            "Add a delivery time window to orders", "the time window",
            "Customers want to know the half hour, not the day."
        ),
        ("Clean up duplicate customer records", "the duplicates", "About 400 customers are there twice."),
        ("Prepare the quarterly report", "the report", "The board meets on the second Tuesday."),
        ("Replace the label printer in warehouse B", "the label printer", "It smears every tenth label."),
        ("Test restoring last night's backup", "the restore test", "The last test was in autumn."),
        ("Agree on holiday cover for Easter", "the holiday plan", "Four people are away in the same week."),
        ("Show stock per shop on the product page", "the stock display", "Callers ask for nothing else on Saturdays."),
        ("Photograph the spring collection", "the photographs", "Forty jackets, tents and boots, all colours."),
        ("Review the returns policy", "the returns policy", "The new consumer rules apply from June."),
        ("Speed up the product search", "the search", "Typing “boot” takes three seconds on a phone."),
        ("Translate the shop into Dutch", "the translation", "A fifth of the visitors come from the Netherlands."),
        ("Check the allergy warnings in the catalogue", "the warnings", "Two snacks changed their recipe."),
        ("Negotiate the courier contract", "the courier contract", "The current one ends in May."),
        ("Repair the bicycle stand at the pine street shop", "the bicycle stand", "It wobbles."),
        ("Set up the newsletter for members", "the newsletter", "About 2,000 members have asked to be told first."),
        ("Count the winter leftovers", "the stock count", "We sell what is left in the April sale."),
        ("Remind patients of appointments by text message", "the reminders", "One in nine appointments is missed."),
        ("Renew the contract for the laboratory courier", "the lab courier", "Samples must arrive by seven."),
        ("Move the referral form online", "the referral form", "Doctors still fax it."),
        ("Check who can read patient files", "the access review", "Three former colleagues still have a login."),
        ("Order vaccines for the autumn", "the vaccine order", "The early order is cheaper by a tenth."),
        ("Replace the waiting room screens", "the screens", "The one in the second clinic stays dark."),
        ("Train the front desk on the new phone system", "the training", "It goes live on the first of the month."),
        ("Draft the privacy notice for video visits", "the privacy notice", "Legal wants to see it before launch."),
        ("Shorten the intake questionnaire", "the questionnaire", "Half of the questions are asked again later."),
        ("Fix the rounding in insurance invoices", "the rounding", "Some invoices are off by a cent."),
        ("Plan the move of the archive", "the archive move", "The lease of the cellar ends in July."),
        ("Publish the opening hours for public holidays", "the opening hours", "The map shows last year's."),
        ("Measure how long pages take on slow phones", "the measurements", "We guess at present."),
        ("Retire the old tracking server", "the tracking server", "Nobody has logged in since November."),
        ("Let drivers attach photos to a delivery", "the photo upload", "Claims without a photo take weeks."),
        ("Reconcile fuel card statements", "the fuel cards", "February has three unknown refuellings."),
        ("Compare offers for electric vans", "the van offers", "Two of the old vans fail the next inspection."),
        (
            "Describe the escalation path for night shifts", "the escalation path",
            "Nobody knew whom to call in January."
        ),
        ("Merge the two address books", "the address book", "Dispatch and billing each have their own."),
        ("Automate the daily customs summary", "the customs summary", "It costs an hour each morning."),
        ("Add dark mode to the dispatcher board", "dark mode", "The night shift asks for it since spring."),
        ("Update the emergency contact list", "the contact list", "Three numbers lead nowhere."),
        ("Choose a supplier for rain covers", "the rain covers", "The samples are in the blue box."),
        ("Explain gift cards to the shop staff", "the gift cards", "They are on sale from the tenth."),
        ("Stop sending two order confirmations", "the double confirmation", "Customers think that they pay twice."),
        ("Test the fire alarm in all shops", "the fire alarm", "It is due every half year."),
        ("Make the appointment calendar printable", "the calendar print", "Some doctors work on paper."),
        ("Find a new room for the physiotherapy", "the room", "The old one floods when it rains."),
        ("Archive closed cases older than ten years", "the old cases", "We may not keep them any longer."),
        ("Thank the volunteers of the vaccination day", "the thank-you", "There were thirty-one of them."),
    ]
}
